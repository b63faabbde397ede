// turns.ts: a queue. `shift` of a long array moves all that is behind: a million runs of one input would take minutes.

const CUT = 1024;

/** First in, first out. */
export class Turns<T> {
  #waiting: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  push(one: T): void {
    this.#waiting.push(one);
  }

  /** The one that has waited longest; undefined if there is none. */
  take(): T | undefined {
    if (this.length === 0) return undefined;
    const one = this.#waiting[this.#first];
    this.#waiting[this.#first++] = undefined;
    if (this.#first >= CUT && this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return one;
  }
}
