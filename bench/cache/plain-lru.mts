// plain-lru.mts — LRU played with ids instead of bytes: what every reader knows, to compare a hit ratio with.

/** Least recently used leaves first; a set is a use. */
export class PlainLru {
  readonly #entriesMax: number;
  readonly #entries = new Set<number>(); // in order of use

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(id: number): boolean {
    if (!this.#entries.delete(id)) return false;
    this.#entries.add(id);
    return true;
  }

  set(id: number): void {
    this.#entries.delete(id);
    this.#entries.add(id);
    if (this.#entries.size <= this.#entriesMax) return;
    const [oldest] = this.#entries;
    this.#entries.delete(oldest as number);
  }
}
