// catalogue.mts — the items of the suite `tier`: how often each is asked for, what it is called, and what it holds.
//
// Items are asked for by Zipf's law, P(rank r) = r^-exponent / sum over k of k^-exponent. The exponent is the one at which
// the first 5 % of the ranks take 80 % of the lookups. A value is made from its id and its version, so any process can
// tell whether an answer is right without asking another.

/** These of the items … */
export const FAMOUS = 0.05;
/** … take these of the lookups. */
export const LOOKUPS = 0.8;
/** What L0 holds, of all items. */
export const L0_SHARE = 0.2;

export const DIMENSIONS = 1024;
export const VALUE_BYTES = DIMENSIONS * 4;

/** Before each key in Redis. */
export const PREFIX = 'emb:';
export const keyOf = (id: number): string => PREFIX + id;

/** The lookups that the first `top` ranks take. */
export function shareOf(items: number, top: number, exponent: number): number {
  return powerSum(top, exponent) / powerSum(items, exponent);
}

/** Terms that are added one by one. The rest is by the Euler-Maclaurin formula, to twelve digits. */
const ADDED = 1000;

/** 1 + 2^-exponent + … + count^-exponent */
export function powerSum(count: number, exponent: number): number {
  let sum = 0;
  for (let k = 1; k < Math.min(ADDED, count); k++) sum += k ** -exponent;
  if (count <= ADDED) return sum + count ** -exponent;
  const [first, last] = [ADDED ** -exponent, count ** -exponent];
  const grown = 1 - exponent;
  const integral = Math.abs(grown) < 1e-9 ? Math.log(count / ADDED) : (count ** grown - ADDED ** grown) / grown;
  return sum + integral + (first + last) / 2 + (exponent / 12) * (first / ADDED - last / count);
}

/** The exponent at which the first `top` of `items` ranks take the share `lookups`. */
export function exponentFor(items: number, top: number, lookups: number): number {
  let [low, high] = [0, 4]; // the share grows with the exponent
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (shareOf(items, top, middle) < lookups) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** One element of a value. Versions differ in every element, neighbouring ids too. */
export const elementOf = (id: number, version: number, at: number): number => ((id * 7 + at) % 4093) + version * 4096;

/** As Redis holds it. */
export function bytesOf(id: number, version = 0): Buffer {
  const elements = new Float32Array(DIMENSIONS); // of a bare loop: more than a million are made
  for (let at = 0; at < DIMENSIONS; at++) elements[at] = elementOf(id, version, at);
  return Buffer.from(elements.buffer);
}
