// inputs.ts: inputs of stored results, kept on request, so that another version can compute them before it gets
// traffic.

import type { Copy } from './copies.js';

/** The share of hits that are counted as uses of their input. */
const KEEP_SHARE = 1 / 4;

/** When the coldest go, half of the room is made free. So all inputs are looked at only rarely. */
const SLACK = 2;

export interface CheckedKeepInputsOptions {
  readonly count: number;
  /** Bytes of all inputs together, by {@link Copy.bytes}. An input that takes more than half of them is not kept. */
  readonly maxBytes: number;
}

interface Kept<Input> {
  readonly key: Uint8Array;
  readonly copy: Copy<Input>;
  /** How often it was asked for. Halved whenever the coldest go, so that old counts fade. */
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

  /** Whether a hit is counted as a use of its input. */
  draws(): boolean {
    return this.#options.count > 0 && Math.random() < KEEP_SHARE;
  }

  get count(): number {
    return this.#inputs.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The input was asked for. Calls `copyOf` if it is not kept yet; it may have none. */
  keep(id: string, key: Uint8Array, copyOf: () => Copy<Input> | undefined): void {
    if (!this.wanted) return;
    const known = this.#inputs.get(id);
    if (known !== undefined) {
      known.heat++;
      return;
    }
    const copy = copyOf();
    const { count, maxBytes } = this.#options;
    if (copy === undefined || copy.bytes > maxBytes / SLACK) return;
    // A copy of the key: a view of a batch's keys would hold all of them.
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

  /** The hottest of the inputs whose results are still stored, the hottest first. */
  hottest(count: number): Input[] {
    return this.#ranked()
      .slice(0, count)
      .map(([, { copy }]) => copy.input);
  }

  /** Keeps the hottest inputs: as many as are wanted, and as have room in `bytes`. */
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
    // Of equally hot inputs, those that came last stay: they may be on the rise.
    return [...this.#inputs]
      .reverse()
      .filter(([, { key }]) => this.#isStored(key))
      .sort(([, a], [, b]) => b.heat - a.heat)
      .slice(0, this.#options.count);
  }
}
