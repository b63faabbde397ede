// gguf.ts: the header of a GGUF file, read once more: from the format's description and the checks of its first reader,
// slowly and in one place, and from nothing of what it is compared with.
import { need, type ReadTensor } from './answer.js';

const HEADER_MAX = 256 * 2 ** 20; // ours
const INT64_MAX = 2n ** 63n - 1n;
/** By number: elements and bytes of a block. Numbers that are not here were given up, or never given. */
const TYPES: Record<number, [name: string, elements: number, bytes: number]> = {
  0: ['F32', 1, 4],
  1: ['F16', 1, 2],
  2: ['Q4_0', 32, 18],
  3: ['Q4_1', 32, 20],
  6: ['Q5_0', 32, 22],
  7: ['Q5_1', 32, 24],
  8: ['Q8_0', 32, 34],
  9: ['Q8_1', 32, 36],
  10: ['Q2_K', 256, 84],
  11: ['Q3_K', 256, 110],
  12: ['Q4_K', 256, 144],
  13: ['Q5_K', 256, 176],
  14: ['Q6_K', 256, 210],
  15: ['Q8_K', 256, 292],
  16: ['IQ2_XXS', 256, 66],
  17: ['IQ2_XS', 256, 74],
  18: ['IQ3_XXS', 256, 98],
  19: ['IQ1_S', 256, 50],
  20: ['IQ4_NL', 32, 18],
  21: ['IQ3_S', 256, 110],
  22: ['IQ2_S', 256, 82],
  23: ['IQ4_XS', 256, 136],
  24: ['I8', 1, 1],
  25: ['I16', 1, 2],
  26: ['I32', 1, 4],
  27: ['I64', 1, 8],
  28: ['F64', 1, 8],
  29: ['IQ1_M', 256, 56],
  30: ['BF16', 1, 2],
  34: ['TQ1_0', 256, 54],
  35: ['TQ2_0', 256, 66],
  39: ['MXFP4', 32, 17],
  40: ['NVFP4', 64, 36],
  41: ['Q1_0', 128, 18],
  42: ['Q2_0', 64, 18],
};
export const GGUF_TYPES = TYPES;
const [UINT16, UINT32, INT32, BOOL, STRING, ARRAY] = [2, 4, 5, 7, 8, 9];
/** Of a value of each type; texts and lists say themselves how long they are. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

/** Bytes from the front, each only if it is there. */
class Front {
  at = 0;
  readonly file: Buffer;
  constructor(file: Buffer) {
    this.file = file;
  }
  bytes(count: bigint | number): Buffer {
    need(BigInt(this.at) + BigInt(count) <= BigInt(this.file.length), 'ends within its header');
    need(BigInt(this.at) + BigInt(count) <= BigInt(HEADER_MAX), 'has too long a header');
    this.at += Number(count);
    return this.file.subarray(this.at - Number(count), this.at);
  }
  u32 = () => this.bytes(4).readUInt32LE();
  u64 = () => this.bytes(8).readBigUInt64LE();
  i64 = () => this.bytes(8).readBigInt64LE();
  text = () => this.bytes(this.u64());
}

interface Value {
  type: number;
  /** Of a number or text. */
  bytes: Buffer;
}

export function readGguf(file: Buffer): ReadTensor[] {
  const front = new Front(file);
  need(front.bytes(4).toString('latin1') === 'GGUF', 'does not begin with GGUF');
  const version = front.u32();
  need(version === 2 || version === 3, 'is of another version, or for big-endian machines');
  const tensors = front.i64();
  const values = front.i64();
  need(tensors >= 0n && values >= 0n, 'has a negative number of something');
  const known = readValues(front, values);
  const alignment = alignmentOf(known.get('general.alignment'));
  checkSplit(known, tensors);
  return readTensors(front, tensors, alignment);
}

function readValues(front: Front, count: bigint): Map<string, Value> {
  const known = new Map<string, Value>();
  for (let i = 0n; i < count; ++i) {
    const bytes = front.text();
    need(bytes.length > 0 && bytes.length <= 65_535, 'has a key that is empty or too long');
    const key = bytes.toString('latin1');
    need(/^[ -~]+$/.test(key), 'has a key of other than ASCII');
    need(!known.has(key), 'has a key twice');
    const type = front.u32();
    known.set(key, { type, bytes: type === ARRAY ? list(front) : single(front, type) });
  }
  return known;
}

function single(front: Front, type: number): Buffer {
  need(type in VALUE_BYTES && type !== ARRAY, 'has a value of no type');
  const bytes = type === STRING ? front.text() : front.bytes(VALUE_BYTES[type]!);
  need(type !== BOOL || bytes[0]! <= 1, 'has a boolean of neither 0 nor 1');
  return bytes;
}

function list(front: Front): Buffer {
  const type = front.u32();
  const count = front.u64();
  need(type in VALUE_BYTES && type !== ARRAY, 'has a list of no type, or of lists');
  if (type === STRING) for (let i = 0n; i < count; ++i) front.text();
  else if (type !== BOOL) front.bytes(count * BigInt(VALUE_BYTES[type]!));
  else
    need(
      front.bytes(count).every((one) => one <= 1),
      'has a boolean of neither 0 nor 1',
    );
  return Buffer.alloc(0);
}

function alignmentOf(value: Value | undefined): bigint {
  if (value === undefined) return 32n;
  need(value.type === UINT32, 'has an alignment of another type');
  const alignment = value.bytes.readUInt32LE();
  need(alignment > 0, 'has an alignment of 0');
  return BigInt(alignment);
}

/** Of one file that was opened by itself: it is no part of several. */
function checkSplit(known: Map<string, Value>, tensors: bigint): void {
  const number = (key: string, type: number) => {
    const value = known.get(key);
    need(value === undefined || value.type === type, 'says of another type which part it is');
    return value && (type === UINT16 ? value.bytes.readUInt16LE() : value.bytes.readInt32LE());
  };
  const no = number('split.no', UINT16);
  const all = number('split.tensors.count', INT32);
  const count = number('split.count', UINT16);
  need(count === undefined || count <= 1, 'is one part of several');
  if (count === 0) return; // it was, and they were put together
  need((no ?? 0) === 0 && (all === undefined || BigInt(all) === tensors), 'contradicts itself on which part it is');
}

function readTensors(front: Front, count: bigint, alignment: bigint): ReadTensor[] {
  const padded = (bytes: bigint) => ((bytes + alignment - 1n) / alignment) * alignment;
  const found: { name: string; dtype: string; shape: bigint[]; begin: bigint; end: bigint }[] = [];
  const names = new Set<string>();
  for (let i = 0n; i < count; ++i) {
    const name = nameOf(front.text());
    need(!names.has(name), 'has a tensor twice');
    names.add(name);
    const dimensions = front.u32();
    need(dimensions <= 4, 'has too many dimensions');
    const sizes = Array.from({ length: dimensions }, () => front.i64());
    need(
      sizes.every((size) => size >= 0n),
      'has a negative dimension',
    );
    const elements = sizes.filter((size) => size > 0n).reduce((all, size) => all * size, 1n);
    need(elements <= INT64_MAX, 'has too many elements');
    const type = TYPES[front.u32()];
    need(type !== undefined, 'has a type that there is not');
    const [dtype, blockElements, blockBytes] = type;
    need((sizes[0] ?? 1n) % BigInt(blockElements) === 0n, 'has a row that ends within a block');
    const bytes = sizes.includes(0n) ? 0n : (elements / BigInt(blockElements)) * BigInt(blockBytes);
    const begin = front.u64();
    need(begin % alignment === 0n, 'has a tensor at no multiple of the alignment');
    need(begin + bytes <= INT64_MAX, 'has too many bytes');
    found.push({ name, dtype, shape: sizes.reverse(), begin, end: begin + bytes });
  }
  // Array.prototype.sort is stable: of those at one place the first of the header comes first.
  found.sort((a, b) => compare(a.begin, b.begin) || compare(a.end, b.end));
  for (const [i, { begin }] of found.entries()) need(i === 0 || begin >= found[i - 1]!.end, 'has tensors that overlap');
  const start = padded(BigInt(front.at));
  for (const { end } of found) need(start + end <= front.file.length, 'ends within its data');
  return found.map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape: shape.map(Number),
    begin: Number(start + begin),
    end: Number(start + end),
  }));
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

function nameOf(bytes: Buffer): string {
  need(bytes.length < 64, 'has a tensor of too long a name');
  const name = bytes.toString();
  need(Buffer.from(name).equals(bytes) && !name.includes('\0'), 'has a tensor of no name');
  return name;
}
