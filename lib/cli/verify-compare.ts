// verify-compare.ts: whether two values are the same, as bytes, JSON or float32 numbers; and where they differ.

export const FORMS = ['bytes', 'json', 'float32'] as const;
export type Form = (typeof FORMS)[number];

/** Where the cached value and the one that is right differ. */
export type Difference =
  | { readonly what: 'length'; readonly cached: number; readonly reference: number }
  | { readonly what: 'byte'; readonly at: number; readonly cached: string; readonly reference: string }
  | { readonly what: 'unreadable'; readonly side: 'cached' | 'reference' }
  | { readonly what: 'member'; readonly path: string; readonly cached: string; readonly reference: string }
  | {
      readonly what: 'numbers';
      /** How many differ by more than the tolerance, of how many; and the place where they differ most. */
      readonly count: number;
      readonly of: number;
      readonly at: number;
      readonly cached: number;
      readonly reference: number;
    };

const BYTES_SHOWN = 16;
const JSON_SHOWN = 60;
const FLOAT_BYTES = 4;
const DEPTH_MAX = 1000;

/**
 * Undefined: they are the same.
 *
 * @param tolerance of numbers: they may differ by this share of the greater one, or of 1 if both are below.
 */
export function differenceOf(form: Form, cached: Buffer, right: Buffer, tolerance: number): Difference | undefined {
  if (form === 'float32') return numbersDiffer(cached, right, tolerance);
  if (cached.equals(right)) return undefined;
  return form === 'json' ? jsonDiffers(cached, right, tolerance) : bytesDiffer(cached, right);
}

function bytesDiffer(cached: Buffer, reference: Buffer): Difference {
  const least = Math.min(cached.length, reference.length);
  let at = 0;
  while (at < least && cached[at] === reference[at]) ++at;
  if (at === least) return { what: 'length', cached: cached.length, reference: reference.length };
  const around = (bytes: Buffer) => bytes.subarray(at, at + BYTES_SHOWN).toString('hex');
  return { what: 'byte', at, cached: around(cached), reference: around(reference) };
}

function numbersDiffer(cached: Buffer, reference: Buffer, tolerance: number): Difference | undefined {
  if (cached.length % FLOAT_BYTES !== 0) return { what: 'unreadable', side: 'cached' };
  if (reference.length % FLOAT_BYTES !== 0) return { what: 'unreadable', side: 'reference' };
  if (cached.length !== reference.length) return { what: 'length', cached: cached.length, reference: reference.length };
  const of = cached.length / FLOAT_BYTES;
  let count = 0;
  let at = 0;
  let most = -1;
  for (let i = 0; i < of; ++i) {
    const [a, b] = [cached.readFloatLE(i * FLOAT_BYTES), reference.readFloatLE(i * FLOAT_BYTES)];
    if (isNear(a, b, tolerance)) continue;
    count++;
    const apart = Math.abs(a - b);
    const distance = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
    if (distance > most) [most, at] = [distance, i];
  }
  if (count === 0) return undefined;
  const numberAt = (bytes: Buffer) => bytes.readFloatLE(at * FLOAT_BYTES);
  return { what: 'numbers', count, of, at, cached: numberAt(cached), reference: numberAt(reference) };
}

function isNear(a: number, b: number, tolerance: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a), Math.abs(b));
}

function jsonDiffers(cached: Buffer, reference: Buffer, tolerance: number): Difference | undefined {
  const [one, other] = [parsed(cached), parsed(reference)];
  if (one === undefined) return { what: 'unreadable', side: 'cached' };
  if (other === undefined) return { what: 'unreadable', side: 'reference' };
  return memberThatDiffers(one.value, other.value, '', tolerance, 0);
}

function parsed(bytes: Buffer): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(bytes.toString()) };
  } catch {
    return undefined;
  }
}

/** The first member that differs, by its JSON pointer. The order of an object's members does not count. */
function memberThatDiffers(
  a: unknown,
  b: unknown,
  path: string,
  tolerance: number,
  depth: number,
): Difference | undefined {
  const differs = (): Difference => ({ what: 'member', path, cached: shortened(a), reference: shortened(b) });
  if (typeof a === 'number' && typeof b === 'number') return isNear(a, b, tolerance) ? undefined : differs();
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return a === b ? undefined : differs();
  if (Array.isArray(a) !== Array.isArray(b) || depth > DEPTH_MAX) return differs();
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) {
    const below = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const found = memberThatDiffers(memberOf(a, name), memberOf(b, name), below, tolerance, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

const memberOf = (of: object, name: string): unknown =>
  Object.hasOwn(of, name) ? (of as Record<string, unknown>)[name] : undefined;

function shortened(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > JSON_SHOWN ? `${text.slice(0, JSON_SHOWN - 1)}…` : text;
}
