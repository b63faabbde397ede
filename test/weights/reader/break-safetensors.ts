// break-safetensors.ts: one thing wrong with a safetensors file, or odd: some of it readers must take.
import {
  below,
  fileOf,
  type Member,
  makeSafetensors,
  oneOf,
  type Random,
  type Safetensors,
  textOf,
  written,
} from './make-safetensors.js';

const NUMBERS = [
  '0',
  '-0',
  '-1',
  '1.0',
  '1e3',
  '1E0',
  '01',
  '00',
  '+1',
  '.5',
  '1.',
  '0x1',
  '4294967296',
  '9007199254740993',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '99999999999999999999999999',
  'null',
  '"1"',
  '[]',
  'NaN',
  '',
];
const LENGTHS = [
  0n,
  1n,
  2n,
  99_999_999n,
  100_000_000n,
  100_000_001n,
  2n ** 32n,
  2n ** 63n,
  2n ** 64n - 8n,
  2n ** 64n - 1n,
];
const LITTER = ['\f', '\u00a0', '\ufeff', '\v', '/**/', ',', '\0', ' ', 'x', '}', '{', '"', '\\', '\u2028'];
const STRINGS = [
  '\\ud800',
  '\\udc00\\ud800',
  '\\u12',
  '\\x41',
  '\\',
  '\u0001',
  '\\u0000',
  '\\ud83d\\ude00',
  '\\/',
  '\u007f',
];
const SHAPES = [
  '[4294967296,4294967296]',
  '[4294967296,4294967296,0]',
  '[0,4294967296,4294967296]',
  '[18446744073709551615]',
  '[2305843009213693952,8]',
  '[0,18446744073709551615]',
  `[${Array(64).fill('1').join()}]`,
  `[${Array(65).fill('1').join()}]`,
  '[[1]]',
  '{}',
  'null',
  '[1,]',
];

const nested = (deep: number) => '['.repeat(deep) + ']'.repeat(deep);

/** Where numbers stand in the header. */
function withNumber(text: string, random: Random, make: (old: string) => string): string {
  const places = [...text.matchAll(/(?<=[[,])\d+(?=[\],])/g)];
  if (places.length === 0) return text;
  const { 0: old, index } = oneOf(random, places);
  return text.slice(0, index) + make(old) + text.slice(index + old.length);
}

/** Changes the fields of one tensor. */
function withTensor({ header, data }: Safetensors, random: Random, change: (fields: Member[]) => void): Buffer {
  const tensors = header.filter(({ name, value }) => name !== '"__metadata__"' && Array.isArray(value));
  if (tensors.length > 0) change(oneOf(random, tensors).value as Member[]);
  return fileOf(textOf(header), data);
}

function put(fields: Member[], name: string, value: string): void {
  for (const field of fields) if (field.name === name) field.value = value;
}

/** By what is done. */
export const HEADER_CHANGES: Record<string, (good: Safetensors, random: Random) => Buffer> = {
  nothing: ({ header, data }, random) => fileOf(textOf(header, random), data),
  'a number is replaced': ({ header, data }, random) =>
    fileOf(
      withNumber(textOf(header), random, () => oneOf(random, NUMBERS)),
      data,
    ),
  'a number is near': ({ header, data }, random) =>
    fileOf(
      withNumber(textOf(header), random, (old) => `${Math.max(0, Number(old) - 2 + below(random, 5))}`),
      data,
    ),
  'the length is replaced': ({ header, data }, random) => fileOf(textOf(header), data, oneOf(random, LENGTHS)),
  'the length is near': ({ header, data }, random) => {
    const text = Buffer.from(textOf(header));
    return fileOf(text, data, BigInt(Math.max(0, text.length - 9 + below(random, 19))));
  },
  'a name is twice': ({ header, data }, random) => {
    if (header.length > 0) {
      const { name } = oneOf(random, header);
      const empty = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
      header.splice(below(random, header.length + 1), 0, { name: written(random, JSON.parse(name)), value: empty });
    }
    return fileOf(textOf(header), data);
  },
  'a field is twice': (good, random) =>
    withTensor(good, random, (fields) => {
      const { name, value } = oneOf(random, fields);
      fields.push({ name: written(random, JSON.parse(name)), value });
    }),
  'a field is missing': (good, random) =>
    withTensor(good, random, (fields) => fields.splice(below(random, fields.length), 1)),
  'a field is unknown': (good, random) =>
    withTensor(good, random, (fields) => {
      const value = oneOf(random, [
        nested(13),
        nested(14),
        nested(15),
        nested(2000),
        '{"a":1,"\\u0061":2}',
        '1e999',
        '-',
      ]);
      fields.push({ name: '"more"', value });
    }),
  'a shape is replaced': (good, random) =>
    withTensor(good, random, (fields) => put(fields, '"shape"', oneOf(random, SHAPES))),
  'a shape of nothing is replaced': ({ header, data }, random) => {
    const value = `{"dtype":"F4","shape":${oneOf(random, SHAPES)},"data_offsets":[0,0]}`;
    return fileOf(textOf([...header, { name: '"none"', value }]), data);
  },
  'a type is replaced': (good, random) =>
    withTensor(good, random, (fields) =>
      put(
        fields,
        '"dtype"',
        oneOf(random, ['"F31"', '"f32"', '"F3\\u0032"', '""', '32', 'null', '"F32 "', '"I8"', '"F4"']),
      ),
    ),
  'offsets are swapped': ({ header, data }, random) => {
    const text = textOf(header);
    const places = [...text.matchAll(/"data_offsets":(\[\d+,\d+\])/g)].map((match) => match[1]!);
    if (places.length < 2) return fileOf(text, data);
    const [one, other] = [oneOf(random, places), oneOf(random, places)];
    return fileOf(text.replace(one, '#').replace(other, one).replace('#', other), data);
  },
  'offsets are turned round': (good, random) =>
    withTensor(good, random, (fields) => {
      const offsets = fields.find(({ name }) => name === '"data_offsets"')!;
      offsets.value = `[${(JSON.parse(offsets.value as string) as number[]).reverse().join()}]`;
    }),
  'metadata are odd': ({ header, data }, random) => {
    const values = [
      '[]',
      '1',
      'null',
      '{"a":1}',
      '{"a":null}',
      '{"a":"\\ud800"}',
      '{"shape":[1]}',
      '{"a":"","a":""}',
      '{}',
    ];
    const others = header.filter(({ name }) => name !== '"__metadata__"');
    const name = written(random, '__metadata__');
    return fileOf(textOf([...others, { name, value: oneOf(random, values) }]), data);
  },
  'a tensor is called as the metadata': ({ header, data }, random) => {
    const one = { name: '"__metadata__"', value: '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' };
    return fileOf(textOf(random() < 0.5 ? [one] : [...header, one]), random() < 0.5 ? Buffer.alloc(0) : data);
  },
  'a name is odd': ({ header, data }, random) => {
    const name = random() < 0.2 ? `"${'x'.repeat(70_000)}"` : `"${oneOf(random, STRINGS)}"`;
    return fileOf(textOf([...header, { name, value: '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' }]), data);
  },
  'something is between tokens': ({ header, data }, random) => {
    const text = textOf(header, random);
    const at = oneOf(random, [0, text.length, below(random, text.length + 1)]);
    return fileOf(text.slice(0, at) + oneOf(random, LITTER) + text.slice(at), data);
  },
  'the header is another value': ({ data }, random) =>
    fileOf(
      oneOf(random, ['', ' ', '[]', 'null', '{}', '{}{}', '"a"', '1', nested(20_000), '{"a":{}}', '{"a":[]}']),
      data,
    ),
  'no UTF-8': ({ header, data }, random) => {
    const text = Buffer.from(textOf(header));
    const at = below(random, text.length + 1);
    const wrong = oneOf(random, [
      [0xff],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe6, 0xbc],
      [0x80],
    ]);
    return fileOf(Buffer.concat([text.subarray(0, at), Buffer.from(wrong), text.subarray(at)]), data);
  },
  'the data are longer': ({ header, data }) => fileOf(textOf(header), Buffer.concat([data, Buffer.of(0)])),
  'the data are shorter': ({ header, data }) => fileOf(textOf(header), data.subarray(1)),
};

/** A file at random with one of these changes. */
export function changedFile(random: Random, change: string): Buffer {
  return HEADER_CHANGES[change]!(makeSafetensors(random), random);
}
