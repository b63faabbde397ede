// random.mts — numbers that look random and are the same in every run.

/** 32 random bits a call: Weyl steps through MurmurHash3's finalizer. Period 2^32. */
export function random32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0; // 2^32 / golden ratio
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}

/** `length` ids below `ids`, all equally likely. */
export function uniformStream(ids: number, length: number, seed: number): Uint32Array {
  const next = random32(seed);
  return Uint32Array.from({ length }, () => scale(next(), ids));
}

/** 0 … count - 1 in random order. */
export function permutation(count: number, seed: number): Uint32Array {
  const next = random32(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const pick = scale(next(), last + 1);
    const kept = order[last] as number;
    order[last] = order[pick] as number;
    order[pick] = kept;
  }
  return order;
}

/** 32 random bits to a whole number below `below`. */
export function scale(bits: number, below: number): number {
  return Math.floor((bits / 2 ** 32) * below);
}
