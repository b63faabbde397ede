// inputs.ts: inputs of stored results, kept on request, so that another version can be given them before it is asked.

/** Twice as many as wanted are let in before the coldest go: so that looking at all of them is rare. */
const SLACK = 2;

export class KeptInputs<Input> {
  readonly #wanted: number;
  readonly #heatOf: (key: Uint8Array) => number;
  /** By fingerprint in hex. */
  readonly #inputs = new Map<string, { key: Uint8Array; input: Input }>();

  /** @param heatOf below 0 if nothing is stored under the key any more. */
  constructor(wanted: number, heatOf: (key: Uint8Array) => number) {
    this.#wanted = wanted;
    this.#heatOf = heatOf;
  }

  keep(id: string, key: Uint8Array, input: Input): void {
    if (this.#wanted === 0 || this.#inputs.has(id)) return;
    // The caller may use a view's memory again; and a key that is part of a batch would keep all of it.
    this.#inputs.set(id, { key: key.slice(), input: ownOf(input) });
    if (this.#inputs.size >= this.#wanted * SLACK) this.#prune();
  }

  forget(id: string): void {
    this.#inputs.delete(id);
  }

  clear(): void {
    this.#inputs.clear();
  }

  /** The hottest of what is stored still, the hottest first. */
  hottest(count: number): Input[] {
    this.#prune();
    return [...this.#inputs.values()].slice(0, count).map(({ input }) => input);
  }

  /** In order of heat from here on, until others come. */
  #prune(): void {
    const ranked = [...this.#inputs]
      .map(([id, kept]) => ({ id, kept, heat: this.#heatOf(kept.key) }))
      .filter(({ heat }) => heat >= 0)
      .sort((a, b) => b.heat - a.heat)
      .slice(0, this.#wanted);
    this.#inputs.clear();
    for (const { id, kept } of ranked) this.#inputs.set(id, kept);
  }
}

/** For what outlives the call: views are copied, since the caller may write to them again; other objects are the caller's. */
export function ownOf<Input>(input: Input): Input {
  if (!ArrayBuffer.isView(input) || input instanceof DataView) return input;
  return (input as unknown as Uint8Array).slice() as unknown as Input;
}
