// verify-sample.ts: draws keys at random, each as likely as any other, from a stream of them.
//
// Of all keys it keeps those with the lowest hashes. So the seed and the set of keys decide the sample, and not the
// order in which a server tells them: another run with that seed draws the same keys, and a key that came since changes
// no more than its own place.

/** A key with its rank. The kept ones are a heap: the greatest rank is first. */
interface Ranked {
  readonly key: Buffer;
  readonly rank: number;
}

export class KeySample {
  readonly #count: number;
  readonly #seed: number;
  readonly #heap: Ranked[] = [];
  #seen = 0;

  /** @param count how many are drawn, at most. */
  constructor(count: number, seed: number) {
    this.#count = count;
    this.#seed = seed;
  }

  /** How many there were. */
  get seen(): number {
    return this.#seen;
  }

  add(key: Buffer): void {
    this.#seen++;
    const rank = rankOf(key, this.#seed);
    const heap = this.#heap;
    if (heap.length < this.#count) {
      heap.push({ key: Buffer.from(key), rank }); // a copy: a key of a reply would keep all of the reply
      this.#up(heap.length - 1);
    } else if (rank < heap[0]!.rank) {
      heap[0] = { key: Buffer.from(key), rank };
      this.#down();
    }
  }

  /** In an order that the seed decides. */
  drawn(): Buffer[] {
    return [...this.#heap].sort((a, b) => a.rank - b.rank).map(({ key }) => key);
  }

  #up(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const above = (at - 1) >> 1;
      if (heap[above]!.rank >= heap[at]!.rank) return;
      [heap[above], heap[at]] = [heap[at]!, heap[above]!];
      at = above;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let greatest = at;
      for (const below of [2 * at + 1, 2 * at + 2])
        if (below < heap.length && heap[below]!.rank > heap[greatest]!.rank) greatest = below;
      if (greatest === at) return;
      [heap[greatest], heap[at]] = [heap[at]!, heap[greatest]!];
      at = greatest;
    }
  }
}

/** 53 bits of a hash of the key: two of 32 bits, mixed as MurmurHash3 ends. */
export function rankOf(key: Uint8Array, seed: number): number {
  let one = 0x9e3779b9 ^ seed;
  let other = 0x85ebca6b ^ Math.imul(seed, 0x27d4eb2f);
  for (const byte of key) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x5bd1e995);
    other ^= other >>> 15;
  }
  return (mixed(one) >>> 11) * 2 ** 32 + (mixed(other ^ one) >>> 0);
}

function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
