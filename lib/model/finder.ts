// finder.ts: from an input to what is stored under its fingerprint, by one native call (D53 in docs/DECISIONS.md). The
// fingerprint room frames the input; the hasher here also looks up what it hashes.

import { COST, COSTED, EXPIRES, MISS, native, wideRegisters } from '../addon/native.js';
import type { BatchSeeker, Keyspace, Seeker } from '../cache/keyspace.js';
import {
  type Batch,
  type ComputationIdentity,
  createFingerprinting,
  Fingerprint,
  type FingerprintOptions,
  type Preparation,
  type Value,
} from '../fingerprint/fingerprint.js';
import type { Hasher } from '../fingerprint/hasher.js';
import { nativeHasher, rememberingHasher } from '../fingerprint/native-hasher.js';
import { isSampled } from './traffic.js';

const DIGEST_BYTES = 32;

/** A lookup of one input under way: in which keyspace, and what it found. */
class Search {
  /** The keyspace. Undefined while nothing is looked up; a closed one's throws. */
  handle: number | undefined;
  slab: Uint8Array | undefined;
  found: ArrayBufferLike | number = MISS;
  /** The state after the start that all inputs share. Parts of inputs that are hashed alone begin with another one. */
  state: Uint8Array | undefined;
}

function findingHasher(search: Search): Hasher<Uint8Array> {
  const place = (state: Uint8Array) => (state === search.state ? search.handle : undefined);
  return {
    ...rememberingHasher,
    start: (blocks) => (search.state = nativeHasher.start(blocks)), // the last call is for the inputs' own state
    text(state, kind, text, out) {
      const handle = place(state);
      if (handle === undefined) return nativeHasher.text(state, kind, text, out);
      const found = native.findText(handle, state, kind, text, search.slab, out);
      if (found === undefined) return false;
      search.found = found;
      return true;
    },
    data(state, head, data, nans, out) {
      const handle = place(state);
      if (handle === undefined) nativeHasher.data(state, head, data, nans, out);
      else search.found = native.findData(handle, state, head, data, nans, search.slab, out);
    },
  };
}

/** Makes the keys of a model or a pipeline. */
export type Naming = (hasher: Hasher<Uint8Array>) => Preparation;

/** Of a model: its computations'. */
export function namingOf(identity: ComputationIdentity, options: FingerprintOptions | undefined): Naming {
  return (hasher) => createFingerprinting(hasher).fingerprinter(identity, options);
}

/** Looks up results by their inputs. */
export class Finder<In, Out> {
  readonly #answers: Keyspace<In, Out, unknown>;
  readonly #search = new Search();
  readonly #namer: Preparation;
  /**
   * The search that the next lookup uses. Decoding may run the caller's code, which may look up: that takes a new one.
   */
  #idle: OneInput | undefined;
  #last: OneInput;

  constructor(answers: Keyspace<In, Out, unknown>, naming: Naming) {
    this.#answers = answers;
    this.#namer = naming(findingHasher(this.#search));
    this.#last = new OneInput(this.#namer, this.#search);
    this.#idle = this.#last;
  }

  name(input: unknown): Fingerprint {
    return this.#namer.of(input);
  }

  /**
   * What is stored for the input. Until the next lookup, `key` is its fingerprint, `left` its ms to live, and `cost` the
   * ms that its run took; 0 if that is not known.
   */
  find(input: unknown, prepared?: Value): Out | undefined {
    const value = prepared ?? this.#namer.prepare(input); // may run code of the caller's
    const one = this.#idle ?? new OneInput(this.#namer, this.#search);
    this.#idle = undefined;
    one.value = value;
    try {
      return this.#answers.seek(one);
    } finally {
      this.#last = this.#idle = one;
    }
  }

  get key(): Fingerprint {
    return Fingerprint.from(this.#last.key) as Fingerprint;
  }

  get left(): number {
    return this.#last.left;
  }

  get cost(): number {
    return this.#last.cost;
  }

  /** Whether the input is in the sample of the traffic. */
  get isSampled(): boolean {
    return isSampled(this.#last.key);
  }

  /** Prepares the inputs for lookups one by one. Throws for the first input that has no fingerprint. */
  prepareMany(inputs: readonly unknown[]): Value[] {
    return inputs.map((input, i) => this.#namer.prepare(input, `inputs[${i}]`));
  }

  /** What is stored for each of the inputs, and their fingerprints. */
  findMany(inputs: readonly unknown[]): { results: (Out | undefined)[]; keys: ManyInputs } {
    const keys = this.nameMany(inputs);
    return { results: this.#answers.seekMany(keys), keys };
  }

  /** The fingerprints of the inputs, without a lookup. */
  nameMany(inputs: readonly unknown[]): ManyInputs {
    return new ManyInputs(this.#namer, this.#namer.batchOf(inputs), inputs.length);
  }
}

class OneInput implements Seeker {
  value: Value | undefined;
  readonly key = new Uint8Array(new ArrayBuffer(DIGEST_BYTES));
  left = Number.NaN;
  cost = 0;

  constructor(
    readonly namer: Preparation,
    readonly search: Search,
  ) {}

  find(handle: number, slab: Uint8Array | undefined): ArrayBufferLike | number {
    const { search } = this;
    search.handle = handle;
    search.slab = slab;
    try {
      this.namer.hash(this.value!, this.key);
    } finally {
      search.handle = undefined;
      this.value = undefined;
    }
    this.left = wideRegisters[EXPIRES]!;
    this.cost = wideRegisters[COST]!;
    const { found } = search;
    search.found = MISS; // a buffer here would pin a segment that nobody uses
    search.slab = undefined;
    return found;
  }
}

/** What the runs of a batch's hits took together, and of how many that is known. */
class Costs {
  sumMs = 0;
  known = 0;

  add(costMs: number): void {
    if (!(costMs > 0)) return;
    this.sumMs += costMs;
    this.known++;
  }
}

/** Inputs of a batch, by their fingerprints. */
export class ManyInputs implements BatchSeeker {
  readonly #keys: Uint8Array<ArrayBuffer>;
  readonly costs = new Costs();

  constructor(
    namer: Preparation,
    batch: Batch,
    readonly count: number,
  ) {
    this.#keys = new Uint8Array(new ArrayBuffer(count * DIGEST_BYTES));
    namer.hashBatch(batch, this.#keys);
  }

  keyAt(i: number): Fingerprint {
    return new Fingerprint(this.#keys.buffer, i * DIGEST_BYTES, DIGEST_BYTES);
  }

  /** The places of those that are in the sample of the traffic. */
  sampled(): number[] {
    const places: number[] = [];
    for (let i = 0; i < this.count; ++i) if (isSampled(this.#keys, i * DIGEST_BYTES)) places.push(i);
    return places;
  }

  findMany(handle: number, slab: Uint8Array | undefined, locations: Int32Array, buffers: ArrayBufferLike[]): void {
    native.findDigests(handle, this.#keys, this.count, slab, locations, buffers);
    this.costs.sumMs = wideRegisters[COST]!;
    this.costs.known = wideRegisters[COSTED]!;
  }

  foundAgain(costMs: number): void {
    this.costs.add(costMs);
  }
}
