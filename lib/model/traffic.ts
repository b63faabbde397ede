// traffic.ts: how often inputs come again, and after how many others and how much time: what a cache of another size or
// ttl would have answered. A sample of keys stands for all (SHARDS, FAST '15): the fingerprint
// decides whether an input is in it, so each input is there always or never.
//
//   asked for again    distinct inputs in between -> the size from which on it would be a hit     distances
//                      since it was stored last   -> the ttl from which on it would be a hit      hitsByTtl

/** One input in 64: those whose fingerprint begins with a byte below this. */
const FIRST_BYTE = 4;
export const SAMPLE_RATE = FIRST_BYTE / 256;

/** Inputs of the sample that are remembered: of some 65 000 in all. */
const KEYS_MAX = 1024;

/** Steps of distances: two for each power of two, up to all that are remembered. */
export const DISTANCES = 21;

/** What ttls are tried, in ms; the last one never ends. */
export const TTLS_MS = [1e3, 1e4, 6e4, 6e5, 3.6e6, 2.16e7, 8.64e7, 6.048e8] as const;

/** A plain object, part of a ledger. */
export interface TrafficSample {
  /** Inputs of the sample that were asked for. */
  asked: number;
  /** Of them, inputs that were asked for the first time, or that were forgotten meanwhile. */
  fresh: number;
  /** Of the others, by the number of other inputs of the sample in between; see {@link distanceOf}. */
  distances: number[];
  /** Asked for that a cache with a ttl of {@link TTLS_MS} would have answered, if it had room for all. */
  hitsByTtl: number[];
  /** Results whose size was seen, and their bytes. */
  sized: number;
  bytes: number;
}

export const emptySample = (): TrafficSample => ({
  ...{ asked: 0, fresh: 0, sized: 0, bytes: 0 },
  distances: new Array<number>(DISTANCES).fill(0),
  hitsByTtl: new Array<number>(TTLS_MS.length).fill(0),
});

/** The most inputs in between, of the sample, that a step of `distances` stands for. */
export const distanceOf = (step: number): number => Math.floor(2 ** (step / 2)) - 1;

const stepOf = (distance: number) => Math.min(DISTANCES - 1, Math.ceil(2 * Math.log2(distance + 1) - 1e-9));

/** Whether an input is in the sample, whose fingerprint begins at `at`. */
export const isSampled = (keys: Uint8Array, at = 0): boolean => keys[at]! < FIRST_BYTE;

interface Known {
  /** When it was asked for, as a place in the order of all. */
  place: number;
  /** When a cache of each ttl stored it, in ms since 1970. */
  readonly storedMs: number[];
}

const PLACES = 4 * KEYS_MAX;

export class Traffic {
  readonly #sample = emptySample();
  /** Those asked for longest ago are first. */
  readonly #known = new Map<string, Known>();
  /** How many inputs were asked for last at each place: 1 or 0, as a Fenwick tree. */
  #counts = new Int32Array(PLACES + 1);
  #next = 1;

  /** REQUIRES: the key is sampled. @param bytes of the result, if there is one. */
  ask(key: Uint8Array, nowMs: number, bytes: number | undefined): void {
    const sample = this.#sample;
    sample.asked++;
    if (bytes !== undefined) {
      sample.sized++;
      sample.bytes += bytes;
    }
    const id = String.fromCharCode(...key.subarray(0, 12));
    const known = this.#known.get(id);
    if (known === undefined) sample.fresh++;
    else {
      this.#known.delete(id);
      this.#add(known.place, -1);
      sample.distances[stepOf(this.#sum(this.#next - 1) - this.#sum(known.place))]!++;
    }
    const storedMs = known?.storedMs ?? new Array<number>(TTLS_MS.length).fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < TTLS_MS.length; ++i)
      if (nowMs - storedMs[i]! <= TTLS_MS[i]!) sample.hitsByTtl[i]!++;
      else storedMs[i] = nowMs;
    if (this.#next > PLACES) this.#renumber();
    this.#known.set(id, { place: this.#next, storedMs });
    this.#add(this.#next++, 1);
    if (this.#known.size > KEYS_MAX) this.#forgetOldest();
  }

  snapshot(): TrafficSample {
    return structuredClone(this.#sample);
  }

  #forgetOldest(): void {
    const [id, { place }] = this.#known.entries().next().value!;
    this.#known.delete(id);
    this.#add(place, -1);
  }

  #renumber(): void {
    this.#counts = new Int32Array(PLACES + 1);
    this.#next = 1;
    for (const known of this.#known.values()) {
      known.place = this.#next++;
      this.#add(known.place, 1);
    }
  }

  #add(place: number, by: number): void {
    for (let i = place; i <= PLACES; i += i & -i) this.#counts[i]! += by;
  }

  /** How many of the places up to this one. */
  #sum(place: number): number {
    let sum = 0;
    for (let i = Math.min(place, PLACES); i > 0; i -= i & -i) sum += this.#counts[i]!;
    return sum;
  }
}
