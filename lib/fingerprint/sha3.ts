// sha3.ts: SHA3-256 (FIPS 202) in TypeScript alone: it runs in browsers, edge workers and bundles of any kind.
//
// A lane of 64 bits is kept as two numbers of 32, low and high. Numbers of 64 bits would be BigInts, which are some 50
// times slower.
import { RATE } from './framing.js';

const LANES = 25;
const ROUNDS = 24;
const WORDS = 2 * LANES;
const DIGEST_BYTES = 32;
const DOMAIN = 0x06; // SHA3, and the first bit of the padding
const LAST_BIT = 0x80;

/** Low and high half of each round's constant, from the shift register that the standard defines. */
const ROUND_CONSTANTS = roundConstants();

/** rho and pi as one walk over all lanes but the first: where each lane goes, and how far it is rotated. */
const WALK = Array.from({ length: LANES - 1 }, (_, t) => t).reduce<{ to: number; by: number }[]>((steps, t) => {
  const from = steps.at(-1)?.to ?? 1;
  const x = from % 5;
  const y = (from - x) / 5;
  steps.push({ to: y + 5 * ((2 * x + 3 * y) % 5), by: (((t + 1) * (t + 2)) / 2) % 64 });
  return steps;
}, []);
const WALK_TO = Uint8Array.from(WALK, ({ to }) => to);
const WALK_BY = Uint8Array.from(WALK, ({ by }) => by);

const columns = new Int32Array(10); // scratch

/** A hash under way. `copy` lets many inputs begin with the same bytes. */
export class Sha3 {
  readonly #words: Int32Array;
  #at: number; // in the block, in bytes

  constructor(words = new Int32Array(WORDS), at = 0) {
    this.#words = words;
    this.#at = at;
  }

  copy(): Sha3 {
    return new Sha3(this.#words.slice(), this.#at);
  }

  update(bytes: Uint8Array): this {
    const words = this.#words;
    const { length } = bytes;
    let at = this.#at;
    let i = 0;
    while (i < length) {
      if ((at & 3) === 0 && length - i >= 4) {
        words[at >> 2]! ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
        at += 4;
        i += 4;
      } else {
        words[at >> 2]! ^= bytes[i]! << (8 * (at & 3));
        at++;
        i++;
      }
      if (at === RATE) {
        permute(words);
        at = 0;
      }
    }
    this.#at = at;
    return this;
  }

  /** Writes the digest to `out`. Nothing can be added afterwards. */
  digestInto(out: Uint8Array): void {
    const words = this.#words;
    words[this.#at >> 2]! ^= DOMAIN << (8 * (this.#at & 3));
    words[(RATE - 1) >> 2]! ^= LAST_BIT << 24;
    permute(words);
    for (let i = 0; i < DIGEST_BYTES; ++i) out[i] = words[i >> 2]! >> (8 * (i & 3));
  }
}

/** Keccak-f[1600]. */
function permute(words: Int32Array): void {
  for (let round = 0; round < ROUNDS; ++round) {
    // theta: each lane takes the parity of two columns beside it.
    for (let x = 0; x < 10; ++x)
      columns[x] = words[x]! ^ words[x + 10]! ^ words[x + 20]! ^ words[x + 30]! ^ words[x + 40]!;
    for (let x = 0; x < 10; x += 2) {
      const left = (x + 8) % 10;
      const right = (x + 2) % 10;
      const low = columns[left]! ^ ((columns[right]! << 1) | (columns[right + 1]! >>> 31));
      const high = columns[left + 1]! ^ ((columns[right + 1]! << 1) | (columns[right]! >>> 31));
      for (let y = x; y < WORDS; y += 10) {
        words[y]! ^= low;
        words[y + 1]! ^= high;
      }
    }
    // rho and pi: lanes are rotated, and change places.
    let low = words[2]!;
    let high = words[3]!;
    for (let t = 0; t < LANES - 1; ++t) {
      const to = 2 * WALK_TO[t]!;
      const by = WALK_BY[t]!;
      const nextLow = words[to]!;
      const nextHigh = words[to + 1]!;
      const near = by < 32 ? low : high;
      const far = by < 32 ? high : low;
      const turn = by & 31;
      // In JavaScript a shift by 32 is one by 0. Only the first lane, which is not on the walk, would turn by 0 or 32.
      words[to] = (near << turn) | (far >>> (32 - turn));
      words[to + 1] = (far << turn) | (near >>> (32 - turn));
      low = nextLow;
      high = nextHigh;
    }
    // chi: the one step that is not linear.
    for (let y = 0; y < WORDS; y += 10) {
      for (let x = 0; x < 10; ++x) columns[x] = words[y + x]!;
      for (let x = 0; x < 10; ++x) words[y + x]! ^= ~columns[(x + 2) % 10]! & columns[(x + 4) % 10]!;
    }
    // iota
    words[0]! ^= ROUND_CONSTANTS[2 * round]!;
    words[1]! ^= ROUND_CONSTANTS[2 * round + 1]!;
  }
}

function roundConstants(): Int32Array {
  const constants = new Int32Array(2 * ROUNDS);
  let register = 1;
  for (let round = 0; round < ROUNDS; ++round) {
    for (let j = 0; j < 7; ++j) {
      const bit = (1 << j) - 1; // of the lane
      if ((register & 1) !== 0) constants[2 * round + (bit >> 5)]! ^= 1 << (bit & 31);
      register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
    }
  }
  return constants;
}
