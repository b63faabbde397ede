// table.ts: an embedding table, read once more from what docs/WEIGHTS.md says of it: no index, every id compared.
import { need, type ReadTensor } from './answer.js';
import { metadataOf, readSafetensors } from './safetensors.js';

export interface ReadTable {
  dtype: string;
  dimensions: number;
  ids: (bigint | Buffer)[];
  /** The bytes of each. */
  rows: Buffer[];
  scales: number[] | undefined;
  texts: boolean;
  indexed: boolean;
}

const ELEMENT: Record<string, number> = { F32: 4, F16: 2, BF16: 2, I8: 1 };

export function readTable(file: Buffer): ReadTable {
  const tensors = new Map(readSafetensors(file).map((tensor) => [tensor.name, tensor]));
  const bytesOf = ({ begin, end }: ReadTensor) => file.subarray(begin, end);
  const is = (tensor: ReadTensor, dtype: string, ...shape: number[]) =>
    tensor.dtype === dtype && tensor.shape.join() === shape.join();
  const vectors = tensors.get('vectors');
  const named = tensors.get('ids');
  need(vectors !== undefined && named !== undefined, 'has no vectors, or no ids');
  const { dtype, shape } = vectors;
  const [size, dimensions] = shape;
  need(shape.length === 2 && dimensions! > 0 && Object.hasOwn(ELEMENT, dtype), 'has vectors that are none');
  const scales = dtype === 'I8' ? tensors.get('scales') : undefined;
  need(scales === undefined || is(scales, 'F32', size!), 'has scales that are none');
  // Without the seed it was filled by it is not looked at.
  const seed = metadataOf(file).get('index.seed');
  const index = typeof seed === 'string' && /^[0-9a-f]{16}$/.test(seed) ? tensors.get('index') : undefined;
  if (index !== undefined) {
    const slots = index.shape[0]!;
    const fits = index.shape.length === 2 && is(index, 'I32', slots, 2);
    need(fits && slots >= 2 && Number.isInteger(Math.log2(slots)), 'has an index that is none');
  }
  const ends = tensors.get('ids.ends');
  if (ends === undefined) need(is(named, 'I64', size!) || is(named, 'U32', size!), 'has ids that are none');
  else need(named.dtype === 'U8' && is(ends, 'F64', size!), 'has ids of texts that are none');
  const wide = dimensions! * ELEMENT[dtype]!;
  const ids = ends === undefined ? integersOf(bytesOf(named), named.dtype) : textsOf(bytesOf(named), bytesOf(ends));
  if (index === undefined)
    need(
      new Set(ids.map((id) => (typeof id === 'bigint' ? id : id.toString('latin1')))).size === ids.length,
      'has an id twice',
    );
  return {
    dtype,
    dimensions: dimensions!,
    ids,
    rows: ids.map((_, i) => bytesOf(vectors).subarray(i * wide, (i + 1) * wide)),
    scales: scales && Array.from({ length: size! }, (_, i) => bytesOf(scales).readFloatLE(4 * i)),
    texts: ends !== undefined,
    indexed: index !== undefined,
  };
}

function integersOf(bytes: Buffer, dtype: string): bigint[] {
  const wide = dtype === 'I64' ? 8 : 4;
  return Array.from({ length: bytes.length / wide }, (_, i) =>
    wide === 8 ? bytes.readBigInt64LE(8 * i) : BigInt(bytes.readUInt32LE(4 * i)),
  );
}

function textsOf(bytes: Buffer, ends: Buffer): Buffer[] {
  let before = 0;
  return Array.from({ length: ends.length / 8 }, (_, i) => {
    const end = ends.readDoubleLE(8 * i);
    need(Number.isInteger(end) && end >= before && end <= bytes.length, 'has ends that go back, or beyond');
    const text = bytes.subarray(before, end);
    before = end;
    return text;
  });
}

/** The row of an id that JavaScript can say; -1 if there is none. */
export function rowIn(table: ReadTable, id: number | string): number {
  return table.ids.findIndex((one) =>
    typeof one === 'bigint'
      ? Number.isSafeInteger(id) && BigInt(id) === one
      : typeof id === 'string' && Buffer.from(id).equals(one),
  );
}
