// safetensors.ts: the header of a safetensors file, read once more: from the format's description and the checks of its
// first reader, slowly and in one place, and from nothing of what it is compared with.
import { need, type ReadTensor } from './answer.js';
import { type Json, readJson, Written } from './json.js';

const HEADER_MAX = 100_000_000n;
/** Ours: nobody could use a tensor of more. */
const DIMENSIONS_MAX = 64;
const BITS: Record<string, bigint> = Object.fromEntries(
  [
    [4, 'F4'],
    [6, 'F6_E2M3 F6_E3M2'],
    [8, 'BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ'],
    [16, 'I16 U16 F16 BF16'],
    [32, 'I32 U32 F32'],
    [64, 'F64 I64 U64 C64'],
  ].flatMap(([bits, names]) => `${names}`.split(' ').map((name) => [name, BigInt(bits!)])),
);

interface Entry {
  name: string;
  dtype: string;
  shape: bigint[];
  begin: bigint;
  end: bigint;
}

export function readSafetensors(file: Buffer): ReadTensor[] {
  need(file.length >= 8, 'has no room for the length');
  const length = file.readBigUInt64LE();
  need(length <= HEADER_MAX, 'has too long a header');
  need(8n + length <= file.length, 'ends within the header');
  const start = 8 + Number(length);
  const entries = entriesOf(textOf(withoutNuls(file.subarray(8, start))));
  // Array.prototype.sort is stable: of those at one place the first of the header comes first.
  entries.sort((a, b) => compare(a.begin, b.begin) || compare(a.end, b.end));
  let at = 0n;
  for (const { dtype, shape, begin, end } of entries) {
    need(begin === at && end >= begin, 'has holes, overlaps, or an end before its beginning');
    const elements = product(shape);
    const bits = elements * BITS[dtype]!;
    need(bits < 2n ** 64n, 'has too many bits');
    need(bits === 8n * (end - begin), 'has another size than its shape');
    at = end;
  }
  need(BigInt(start) + at === BigInt(file.length), 'ends before its data, or behind');
  return entries.map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape: shape.map(Number),
    begin: start + Number(begin),
    end: start + Number(end),
  }));
}

/** Of a file that `readSafetensors` took. */
export function metadataOf(file: Buffer): Map<string, Json> {
  const header = readJson(textOf(withoutNuls(file.subarray(8, 8 + Number(file.readBigUInt64LE())))));
  const metadata = (header as Map<string, Json>).get('__metadata__');
  return metadata instanceof Map ? metadata : new Map();
}

/** Some writers fill a header up with them. */
function withoutNuls(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) --end;
  return bytes.subarray(0, end);
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    need(false, 'is no UTF-8');
  }
}

function entriesOf(text: string): Entry[] {
  const header = readJson(text);
  need(header instanceof Map, 'has a header that is no object');
  const entries: Entry[] = [];
  for (const [name, value] of header)
    if (name === '__metadata__') checkMetadata(value);
    else entries.push(entryOf(name, value));
  return entries;
}

function checkMetadata(value: Json): void {
  if (value instanceof Written && value.characters === 'null') return; // its first reader takes that for none
  need(value instanceof Map, 'has metadata that are no object');
  for (const text of value.values()) need(typeof text === 'string', 'has metadata that are no texts');
}

function entryOf(name: string, value: Json): Entry {
  need(value instanceof Map, 'has a tensor that is no object');
  const dtype = value.get('dtype');
  need(typeof dtype === 'string' && Object.hasOwn(BITS, dtype), 'has a type that there is not');
  const shape = integersOf(value.get('shape'));
  need(shape.length <= DIMENSIONS_MAX, 'has too many dimensions');
  const [begin, end, ...more] = integersOf(value.get('data_offsets'));
  need(begin !== undefined && end !== undefined && more.length === 0, 'has other than two offsets');
  return { name, dtype, shape, begin, end };
}

function integersOf(value: Json | undefined): bigint[] {
  need(Array.isArray(value), 'has no list of integers where one belongs');
  return value.map((item) => {
    need(item instanceof Written && /^(0|[1-9]\d*)$/.test(item.characters), 'has no integer where one belongs');
    const integer = BigInt(item.characters);
    need(integer < 2n ** 64n, 'has an integer of more than 64 bits');
    return integer;
  });
}

/** Step by step, as a reader of 64 bits has to: too many, then none, are too many. */
function product(sizes: bigint[]): bigint {
  return sizes.reduce((elements, size) => {
    need(elements * size < 2n ** 64n, 'has too many elements');
    return elements * size;
  }, 1n);
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
