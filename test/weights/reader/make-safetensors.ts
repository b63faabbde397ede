// make-safetensors.ts: safetensors files at random, and what can be wrong with them. A header is a list of members,
// each as it is written, so that whatever can be written can be made.

export type Random = () => number;
export const below = (random: Random, n: number) => Math.floor(random() * n);
export const oneOf = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

/** A name with its quotes, and a value: other members, or any characters. */
export interface Member {
  name: string;
  value: Member[] | string;
}

export interface Safetensors {
  header: Member[];
  data: Buffer;
}

const BITS: readonly [string, number][] = [
  ['F32', 32],
  ['BF16', 16],
  ['F16', 16],
  ['I64', 64],
  ['U8', 8],
  ['BOOL', 8],
  ['F8_E4M3FNUZ', 8],
  ['C64', 64],
  ['F4', 4],
  ['F6_E2M3', 6],
];
const NAMES = ['w', 'layers.0.weight', '1', '__proto__', 'é', '漢字', '😀', 'a"b', 'tab\t', '', 'metadata', 'dtype'];
const SPACES = ['', '', '', ' ', '\n', '\t\r\n '];

/** One that every reader takes. */
export function makeSafetensors(random: Random): Safetensors {
  const header: Member[] = [];
  if (random() < 0.4) header.push({ name: '"__metadata__"', value: metadataOf(random) });
  const taken = new Set<string>();
  let at = 0;
  for (let i = below(random, 6); i > 0; --i) {
    const name = random() < 0.5 ? oneOf(random, NAMES) : `tensor ${i}`;
    if (taken.has(name)) continue;
    taken.add(name);
    const [dtype, bits] = oneOf(random, BITS);
    const shape = Array.from({ length: below(random, 4) }, () => (random() < 0.1 ? 0 : 1 + below(random, 4)));
    if (bits % 8 !== 0) shape.push(4); // whole bytes
    const bytes = (shape.reduce((all, size) => all * size, 1) * bits) / 8;
    const value = shuffled(random, [
      { name: '"dtype"', value: `"${dtype}"` },
      { name: '"shape"', value: `[${shape.join()}]` },
      { name: '"data_offsets"', value: `[${at},${at + bytes}]` },
    ]);
    if (random() < 0.1) value.push({ name: '"note"', value: '{"of":["nobody",-1.5e3,null]}' });
    header.push({ name: written(random, name), value });
    at += bytes;
  }
  return { header: random() < 0.3 ? shuffled(random, header) : header, data: Buffer.alloc(at, 1) };
}

function metadataOf(random: Random): Member[] | string {
  if (random() < 0.2) return 'null';
  return ['format', 'é'].slice(below(random, 3)).map((name) => ({ name: JSON.stringify(name), value: '"pt"' }));
}

/** The same name in one of many ways. */
export function written(random: Random, name: string): string {
  if (random() < 0.7) return JSON.stringify(name);
  const units = Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, '0'));
  return `"${units.map((digits) => `\\u${random() < 0.5 ? digits : digits.toUpperCase()}`).join('')}"`;
}

export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** `random`: with white space between tokens. */
export function textOf(header: Member[] | string, random?: Random): string {
  if (typeof header === 'string') return header;
  const space = () => (random === undefined ? '' : oneOf(random, SPACES));
  const members = header.map(({ name, value }) => `${space()}${name}${space()}:${space()}${textOf(value, random)}`);
  return `{${members.join(`${space()},`)}${space()}}`;
}

export function fileOf(text: string | Buffer, data: Uint8Array, length?: bigint): Buffer {
  const header = Buffer.from(text as string);
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(length ?? BigInt(header.length));
  return Buffer.concat([first, header, data]);
}

export function validFile(random: Random): Buffer {
  const { header, data } = makeSafetensors(random);
  const spaced = random() < 0.3;
  return fileOf(
    `${spaced ? ' \n' : ''}${textOf(header, spaced ? random : undefined)}${'  '.repeat(below(random, 3))}`,
    data,
  );
}
