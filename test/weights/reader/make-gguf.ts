// make-gguf.ts: GGUF files at random, and what can be wrong with them. A file is a list of parts, each as it is written
// and called what it is, so that any of them can be another.
import { GGUF_TYPES } from './gguf.js';
import { below, oneOf, type Random } from './make-safetensors.js';

export interface Part {
  /** What it is; of the form `text` where bytes are behind their number. */
  kind: 'fixed' | 'u32' | 'u64' | 'text' | 'pad';
  what: string;
  bytes: Buffer;
}

export const u16 = (n: number) => Buffer.from(Uint16Array.of(n).buffer);
export const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
export const u64 = (n: bigint | number) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);

export class GgufFile {
  readonly parts: Part[] = [];
  alignment = 32;

  put(kind: Part['kind'], what: string, bytes: Buffer): void {
    this.parts.push({ kind, what, bytes });
  }
  text(what: string, text: string | Buffer): void {
    this.put('text', what, Buffer.from(text as string));
  }
  value(key: string, type: number, bytes: Buffer): void {
    this.text('key', key);
    this.put('u32', 'type of a value', u32(type));
    this.put(type === 8 ? 'text' : 'fixed', key, bytes);
  }
  /** `aligned`: by what the file says of it; otherwise it is padded as it was made. */
  bytes(): Buffer {
    const parts: Buffer[] = [];
    let at = 0;
    for (const { kind, bytes } of this.parts) {
      const pad = kind === 'pad' ? Buffer.alloc((this.alignment - (at % this.alignment)) % this.alignment) : [];
      const length = kind === 'text' ? u64(bytes.length) : [];
      for (const part of [Buffer.from(pad as []), Buffer.from(length as []), bytes]) {
        parts.push(part);
        at += part.length;
      }
    }
    return Buffer.concat(parts);
  }
}

const VALUES: readonly [key: string, type: number, bytes: () => Buffer][] = [
  ['general.architecture', 8, () => Buffer.from('llama')],
  ['a.b_c', 4, () => u32(7)],
  ['yes', 7, () => Buffer.of(1)],
  ['wide', 10, () => u64(2n ** 63n)],
  ['far', 12, () => u64(0x3ff0000000000000n)],
  ['general.alignment', 4, () => u32(64)],
  ['split.count', 2, () => u16(0)],
  ['tokens', 9, () => Buffer.concat([u32(8), u64(3), u64(1), Buffer.from('a'), u64(0), u64(2), Buffer.of(0xff, 0)])],
  ['scores', 9, () => Buffer.concat([u32(6), u64(2), Buffer.alloc(8)])],
  ['flags', 9, () => Buffer.concat([u32(7), u64(3), Buffer.of(0, 1, 1)])],
];

/** One that every reader takes. */
export function makeGguf(random: Random): GgufFile {
  const file = new GgufFile();
  const values = VALUES.filter(() => random() < 0.3);
  if (values.some(([key]) => key === 'general.alignment')) file.alignment = 64;
  const count = below(random, 5);
  file.put('fixed', 'magic', Buffer.from('GGUF'));
  file.put('u32', 'version', u32(2 + below(random, 2)));
  file.put('u64', 'number of tensors', u64(count));
  file.put('u64', 'number of values', u64(values.length));
  for (const [key, type, bytes] of values) file.value(key, type, bytes());
  const data: Buffer[] = [];
  const offsets: Part[] = [];
  for (let i = 0; i < count; ++i) {
    const number = oneOf(random, Object.keys(GGUF_TYPES).map(Number));
    const [, elements, bytes] = GGUF_TYPES[number]!;
    const sizes = [elements, 1 + below(random, 3), random() < 0.1 ? 0 : 2, 1].slice(0, below(random, 5));
    if (sizes.length === 0 && elements > 1) sizes.push(elements);
    file.text('name', i === 1 ? 'é' : `blk.${i}.weight`);
    file.put('u32', 'dimensions', u32(sizes.length));
    for (const size of sizes) file.put('u64', 'dimension', u64(size));
    file.put('u32', 'type', u32(number));
    file.put('u64', 'offset', u64(0));
    offsets.push(file.parts.at(-1)!);
    const own = Buffer.alloc((sizes.reduce((all, size) => all * size, 1) / elements) * bytes, 1);
    data.push(own);
  }
  // Their data stand in any order.
  const order = data.map((_, i) => i);
  if (random() < 0.3) order.sort(() => random() - 0.5);
  let at = 0;
  for (const i of order) {
    offsets[i]!.bytes = u64(at);
    file.put('pad', 'data', data[i]!);
    at += Math.ceil(data[i]!.length / file.alignment) * file.alignment;
  }
  return file;
}

const WORDS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  9,
  10,
  12,
  13,
  31,
  39,
  42,
  43,
  64,
  255,
  0x10000,
  0x03000000,
  2 ** 31,
  2 ** 32 - 1,
];
const LONGS = [
  0n,
  1n,
  31n,
  32n,
  33n,
  64n,
  2n ** 31n,
  2n ** 32n,
  2n ** 61n,
  2n ** 62n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Another part of this kind; the file as it was where it has none. */
function replaced(file: GgufFile, random: Random, is: (part: Part) => boolean, make: (old: Buffer) => Buffer): Buffer {
  const parts = file.parts.filter(is);
  if (parts.length > 0) {
    const part = oneOf(random, parts);
    part.bytes = make(part.bytes);
  }
  return file.bytes();
}

/** One more value, as the last one. */
function withValue(file: GgufFile, random: Random, key: string, type: number, bytes: Buffer): Buffer {
  const count = file.parts.find(({ what }) => what === 'number of values')!;
  const last = file.parts.findIndex(({ what }) => what === 'name' || what === 'data');
  const tail = last < 0 ? [] : file.parts.splice(last);
  count.bytes = u64(count.bytes.readBigUInt64LE() + 1n);
  file.value(key, type, bytes);
  file.parts.push(...tail);
  if (random() < 0.1) file.alignment = oneOf(random, [1, 8, 32, 64, 4096]);
  return file.bytes();
}

/** By what is done. */
export const GGUF_CHANGES: Record<string, (good: GgufFile, random: Random) => Buffer> = {
  nothing: (good) => good.bytes(),
  'a word is replaced': (good, random) =>
    replaced(
      good,
      random,
      ({ kind }) => kind === 'u32',
      () => u32(oneOf(random, WORDS)),
    ),
  'a long word is replaced': (good, random) =>
    replaced(
      good,
      random,
      ({ kind }) => kind === 'u64',
      () => u64(oneOf(random, LONGS)),
    ),
  'a number is near': (good, random) =>
    replaced(
      good,
      random,
      ({ kind }) => kind === 'u64',
      (old) => u64(BigInt.asUintN(64, old.readBigUInt64LE() + BigInt(below(random, 5) - 2))),
    ),
  'a text is replaced': (good, random) =>
    replaced(
      good,
      random,
      ({ kind }) => kind === 'text',
      () =>
        Buffer.from(
          oneOf(random, ['', 'é', 'a\0', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(65_536), 'yes', 'blk.0.weight']),
        ),
    ),
  'a text is no UTF-8': (good, random) =>
    replaced(
      good,
      random,
      ({ kind }) => kind === 'text',
      () => Buffer.from(oneOf(random, [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x7f], [0x0a]])),
    ),
  'a value is replaced': (good, random) =>
    replaced(
      good,
      random,
      ({ kind, what }) => kind === 'fixed' && what !== 'magic',
      () => Buffer.from(Array.from({ length: below(random, 20) }, () => below(random, 16))),
    ),
  'a dimension overflows': (good, random) => {
    const dimensions = good.parts.filter(({ what }) => what === 'dimension');
    for (const part of dimensions)
      if (random() < 0.6) part.bytes = u64(oneOf(random, [2n ** 32n, 2n ** 31n, 2n ** 62n, 0n]));
    return good.bytes();
  },
  'an alignment is odd': (good, random) => {
    const alignment = oneOf(random, [0, 1, 2, 8, 13, 32, 64, 4096, 2 ** 31, 2 ** 32 - 1]);
    const [type, bytes] = oneOf(random, [
      [4, u32(alignment)],
      [5, u32(alignment)],
      [10, u64(alignment)],
    ] as const);
    if (alignment > 0 && alignment <= 4096) good.alignment = alignment;
    return withValue(good, random, 'general.alignment', type, bytes);
  },
  'a value is odd': (good, random) => {
    const [type, bytes] = oneOf(random, [
      [9, Buffer.concat([u32(9), u64(1), u32(4), u64(0)])],
      [9, Buffer.concat([u32(13), u64(0)])],
      [9, Buffer.concat([u32(0), u64(2n ** 63n)])],
      [9, Buffer.concat([u32(8), u64(2n ** 61n)])],
      [9, Buffer.concat([u32(8), u64(1), u64(2n ** 64n - 8n)])],
      [9, Buffer.concat([u32(12), u64(2n ** 61n)])],
      [9, Buffer.concat([u32(7), u64(2), Buffer.of(1, 2)])],
      [9, Buffer.concat([u32(11), u64(0)])],
      [7, Buffer.of(2)],
      [13, u32(0)],
    ] as const);
    return withValue(good, random, 'odd', type, bytes);
  },
  'a split is told': (good, random) => {
    const key = oneOf(random, ['split.count', 'split.no', 'split.tensors.count']);
    const number = below(random, 4);
    const [type, bytes] = oneOf(random, [
      [2, u16(number)],
      [5, u32(number)],
      [5, u32(2 ** 32 - 1)],
      [4, u32(number)],
    ] as const);
    return withValue(good, random, key, type, bytes);
  },
  'values are as many as there are bytes': (good, random) => {
    const counts = good.parts.filter(({ what }) => what.startsWith('number of'));
    oneOf(random, counts).bytes = u64(below(random, 20));
    return good.bytes();
  },
  'the data are longer': (good, random) => Buffer.concat([good.bytes(), Buffer.alloc(1 + below(random, 100))]),
  'the data are shorter': (good, random) => good.bytes().subarray(0, -1 - below(random, 40)),
};
