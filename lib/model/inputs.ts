// inputs.ts: inputs of stored results, kept on request, so that another version can be given them before it is asked.

/** Twice as many as wanted are let in before the coldest go: so that looking at all of them is rare. */
const SLACK = 2;

interface Kept<Input> {
  readonly key: Uint8Array;
  readonly input: Input;
  /** How often it was asked for; halved whenever the coldest go, so that old fame fades. */
  heat: number;
}

export class KeptInputs<Input> {
  readonly #wanted: number;
  readonly #isStored: (key: Uint8Array) => boolean;
  /** By fingerprint in hex. */
  #inputs = new Map<string, Kept<Input>>();

  constructor(wanted: number, isStored: (key: Uint8Array) => boolean) {
    this.#wanted = wanted;
    this.#isStored = isStored;
  }

  get wanted(): boolean {
    return this.#wanted > 0;
  }

  /** It was asked for. */
  keep(id: string, key: Uint8Array, input: Input): void {
    if (this.#wanted === 0) return;
    const known = this.#inputs.get(id);
    if (known !== undefined) {
      known.heat++;
      return;
    }
    // The caller may use a view's memory again; and a key that is part of a batch would keep all of it.
    this.#inputs.set(id, { key: key.slice(), input: ownOf(input), heat: 1 });
    if (this.#inputs.size < this.#wanted * SLACK) return;
    const ranked = this.#ranked();
    for (const [, kept] of ranked) kept.heat /= 2;
    this.#inputs = new Map(ranked);
  }

  forget(id: string): void {
    this.#inputs.delete(id);
  }

  clear(): void {
    this.#inputs.clear();
  }

  /** The hottest of what is stored still, the hottest first. */
  hottest(count: number): Input[] {
    return this.#ranked()
      .slice(0, count)
      .map(([, { input }]) => input);
  }

  /** As many as are wanted. */
  #ranked(): [string, Kept<Input>][] {
    // Of equally hot ones those that came last: they may be on the rise.
    return [...this.#inputs]
      .reverse()
      .filter(([, { key }]) => this.#isStored(key))
      .sort(([, a], [, b]) => b.heat - a.heat)
      .slice(0, this.#wanted);
  }
}

/** For what outlives the call: views are copied, since the caller may write to them again; other objects are the caller's. */
export function ownOf<Input>(input: Input): Input {
  if (!ArrayBuffer.isView(input) || input instanceof DataView) return input;
  // That of typed arrays: a Buffer's own copies nothing.
  return Uint8Array.prototype.slice.call(input) as unknown as Input;
}
