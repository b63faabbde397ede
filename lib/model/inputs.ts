// inputs.ts: inputs of stored results, kept on request, so that another version can be given them before it is asked.

import type { Copy } from './copies.js';

/** When the coldest go, half of the room is made free: so that looking at all of them is rare. */
const SLACK = 2;

export interface CheckedKeepInputsOptions {
  readonly count: number;
  /** Of all of them together, by {@link Copy.bytes}. One that takes more than half of it is not kept. */
  readonly maxBytes: number;
}

interface Kept<Input> {
  readonly key: Uint8Array;
  readonly copy: Copy<Input>;
  /** How often it was asked for; halved whenever the coldest go, so that old fame fades. */
  heat: number;
}

export class KeptInputs<Input> {
  readonly #options: CheckedKeepInputsOptions;
  readonly #isStored: (key: Uint8Array) => boolean;
  /** By fingerprint in hex. */
  #inputs = new Map<string, Kept<Input>>();
  #bytes = 0;

  constructor(options: CheckedKeepInputsOptions, isStored: (key: Uint8Array) => boolean) {
    this.#options = options;
    this.#isStored = isStored;
  }

  get wanted(): boolean {
    return this.#options.count > 0;
  }

  get count(): number {
    return this.#inputs.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** It was asked for. `copyOf` is called if it is not kept yet. */
  keep(id: string, key: Uint8Array, copyOf: () => Copy<Input>): void {
    if (!this.wanted) return;
    const known = this.#inputs.get(id);
    if (known !== undefined) {
      known.heat++;
      return;
    }
    const copy = copyOf();
    const { count, maxBytes } = this.#options;
    if (copy.bytes > maxBytes / SLACK) return;
    // A key that is part of a batch would keep all of it.
    this.#inputs.set(id, { key: key.slice(), copy, heat: 1 });
    this.#bytes += copy.bytes;
    if (this.#inputs.size >= count * SLACK) this.#cut(maxBytes);
    if (this.#bytes > maxBytes) this.#cut(maxBytes / SLACK);
  }

  forget(id: string): void {
    const known = this.#inputs.get(id);
    if (known === undefined) return;
    this.#inputs.delete(id);
    this.#bytes -= known.copy.bytes;
  }

  clear(): void {
    this.#inputs.clear();
    this.#bytes = 0;
  }

  /** The hottest of what is stored still, the hottest first. */
  hottest(count: number): Input[] {
    return this.#ranked()
      .slice(0, count)
      .map(([, { copy }]) => copy.input);
  }

  /** The hottest stay, as many as are wanted and have room in `bytes`. */
  #cut(bytes: number): void {
    const ranked = this.#ranked();
    this.clear();
    for (const [id, kept] of ranked) {
      if (this.#bytes + kept.copy.bytes > bytes) continue;
      this.#inputs.set(id, kept);
      this.#bytes += kept.copy.bytes;
      kept.heat /= 2;
    }
  }

  /** As many as are wanted. */
  #ranked(): [string, Kept<Input>][] {
    // Of equally hot ones those that came last: they may be on the rise.
    return [...this.#inputs]
      .reverse()
      .filter(([, { key }]) => this.#isStored(key))
      .sort(([, a], [, b]) => b.heat - a.heat)
      .slice(0, this.#options.count);
  }
}
