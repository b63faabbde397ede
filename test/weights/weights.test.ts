// Files of weights: mapped, shown without a copy, believed only after they were checked.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Weights, WeightsError } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';
import { bytesOf, FLOATS, refusalOf, written } from '../fixtures/weights-files.js';

/** A safetensors file as the format says, by nobody's code but this. */
function safetensors(header: unknown, data: Uint8Array, pad = 0): Buffer {
  const text = Buffer.from((typeof header === 'string' ? header : JSON.stringify(header)) + ' '.repeat(pad));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

describe('a safetensors file', () => {
  test('shows its tensors, in the file’s order, of every type', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    const given = {
      f64: Float64Array.of(1.5, 2),
      f32: { dtype: 'float32', shape: [2, 3], data: FLOATS } as const,
      bf16: { dtype: 'bfloat16', shape: [2], data: Uint16Array.of(0x3f80, 0x4000) } as const,
      i64: BigInt64Array.of(-1n, 2n ** 40n),
      i32: Int32Array.of(-7),
      i16: Int16Array.of(-7, 8),
      i8: Int8Array.of(-7, 8, 9),
      u64: BigUint64Array.of(2n ** 63n),
      u32: Uint32Array.of(2 ** 31),
      u16: Uint16Array.of(65535),
      u8: Uint8Array.of(1, 2, 3),
      bool: { dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1) } as const,
      none: new Float32Array(0),
      scalar: { dtype: 'float32', shape: [], data: Float32Array.of(4) } as const,
    };
    await Weights.write(path, given, { metadata: { format: 'pt', é: '漢' } });
    using weights = await Weights.open(path);
    expect([...weights].map(({ name }) => name).sort()).toEqual(Object.keys(given).sort());
    for (const [name, value] of Object.entries(given)) {
      const tensor = weights.tensor(name);
      const data = ArrayBuffer.isView(value) ? value : value.data;
      expect(bytesOf(tensor.data), name).toEqual(bytesOf(data));
      expect(tensor.shape).toEqual('shape' in value ? value.shape : [data.length]);
      expect(tensor.aligned).toBe(true);
      expect(tensor.bytes).toBe(data.byteLength);
    }
    expect(weights.tensor('f32').data).toBeInstanceOf(Float32Array);
    expect(weights.tensor('i64').data).toBeInstanceOf(BigInt64Array);
    expect(weights.tensor('bf16').data).toBeInstanceOf(Uint16Array);
    expect({ ...weights.metadata }).toEqual({ format: 'pt', é: '漢' });
    expect(weights.tensor('f32').data).toBe(weights.tensor('f32').data);
    expect(errorOf(() => weights.tensor('nothing'))).toMatchObject({ code: 'ERR_WEIGHTS_TENSOR' });
  });

  test('of Python’s own making is read, misaligned or not', async () => {
    // As writers before 0.3 left it: data begin wherever the header ends.
    for (let pad = 0; pad < 8; ++pad) {
      const header = {
        odd: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
        w: { dtype: 'F32', shape: [6], data_offsets: [1, 25] },
      };
      const path = written('m.safetensors', safetensors(header, Buffer.concat([Buffer.of(9), bytesOf(FLOATS)]), pad));
      using weights = await Weights.open(path);
      const { data, aligned, place } = weights.tensor('w');
      expect(aligned).toBe(place.begin % 4 === 0);
      expect(data).toBeInstanceOf(Float32Array);
      expect(Array.from(data as Float32Array)).toEqual(Array.from(FLOATS));
    }
  });

  test('is written atomically, the same for the same tensors, and never in part', async () => {
    const folder = ownFolder();
    const path = join(folder, 'a.safetensors');
    await Weights.write(path, { b: FLOATS, a: Float32Array.of(1) });
    const first = readFileSync(path);
    using old = await Weights.open(path);
    await Weights.write(path, { a: Float32Array.of(1), b: FLOATS });
    expect(readFileSync(path).equals(first)).toBe(true);
    await Weights.write(path, { a: Float32Array.of(2) });
    expect((old.tensor('a').data as Float32Array)[0]).toBe(1); // the file that was opened is there still
    old.check();
    expect(readdirSync(folder)).toEqual(['a.safetensors']);
    const twice: [string, Float32Array][] = [
      ['a', FLOATS],
      ['a', FLOATS],
    ];
    await expect(Weights.write(path, { a: 'x' as never })).rejects.toThrow(TypeError);
    await expect(Weights.write(path, { __metadata__: FLOATS })).rejects.toThrow(RangeError);
    await expect(Weights.write(path, twice)).rejects.toThrow(RangeError);
    const reason = new Error('enough');
    const controller = new AbortController();
    const onProgress = () => controller.abort(reason);
    const large = { a: new Float32Array(2 ** 25) };
    await expect(Weights.write(path, large, { onProgress, signal: controller.signal })).rejects.toBe(reason);
    await expect(Weights.write(join(folder, 'none', 'a'), { a: FLOATS })).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(folder)).toEqual(['a.safetensors']);
    expect(first.readUInt32LE(0) % 64).toBe(56); // data begin at a multiple of 64
  });

  test('is not changed by what JavaScript writes to a view', async () => {
    const path = written(
      'a.safetensors',
      safetensors({ w: { dtype: 'F32', shape: [6], data_offsets: [0, 24] } }, bytesOf(FLOATS)),
    );
    const before = readFileSync(path);
    using one = await Weights.open(path);
    using other = await Weights.open(path);
    const data = one.tensor('w').data as Float32Array;
    data[0] = 99;
    expect(data[0]).toBe(99);
    expect((other.tensor('w').data as Float32Array)[0]).toBe(1);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('leaves views as they are when it is closed, and later calls throw', async () => {
    const path = written(
      'a.safetensors',
      safetensors({ w: { dtype: 'F32', shape: [6], data_offsets: [0, 24] } }, bytesOf(FLOATS)),
    );
    const weights = await Weights.open(path);
    const { data } = weights.tensor('w');
    weights.close();
    weights.close();
    expect([...(data as Float32Array)]).toEqual([...FLOATS]);
    for (const ask of [
      () => weights.residency(),
      () => weights.tensor('w').data,
      () => weights.tensor('w').part(0, 4),
      () => weights.tensor('w').part(0, 0),
      () => weights.tensor('w').toFloat32(),
    ])
      expect(errorOf(ask)).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
  });

  test('that is cut while it is open is noticed, and reading it is an error', async () => {
    const big = new Float32Array(100_000).fill(1);
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: big });
    using weights = await Weights.open(path);
    weights.check();
    truncateSync(path, 5000);
    expect(errorOf(() => weights.check())).toMatchObject({ code: 'ERR_WEIGHTS_CHANGED', path });
    expect(errorOf(() => weights.tensor('w').read(new Uint8Array(400_000)))).toMatchObject({
      code: 'ERR_WEIGHTS_CHANGED',
    });
    await expect(weights.prefetch()).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CHANGED' });
    await expect(weights.computeDigest()).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CHANGED' });
  });

  test('is read into memory where that is asked, and then nothing can take it away', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: FLOATS });
    using weights = await Weights.open(path, { strategy: 'read' });
    const { data } = weights.tensor('w');
    truncateSync(path, 0);
    expect(bytesOf(data)).toEqual(bytesOf(FLOATS));
  });

  test('is read into huge pages where that is asked, and says how much is in memory', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    const w = new Float32Array(2 ** 21).map((_, i) => i % 1000);
    await Weights.write(path, { w });
    using weights = await Weights.open(path, { pages: 'huge' });
    const { mapped, resident, huge } = weights.residency();
    expect(mapped).toBe(weights.bytes);
    expect(resident).toBe(mapped); // all of it was read
    expect(huge).toBeLessThanOrEqual(resident);
    truncateSync(path, 0);
    expect(Buffer.compare(bytesOf(weights.tensor('w').data), bytesOf(w))).toBe(0);
  });

  test('takes no wrong choice of pages, and no mapping in huge ones', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: FLOATS });
    await expect(Weights.open(path, { pages: 'large' as never })).rejects.toThrow(/options\.pages: expected 'auto' or/);
    await expect(Weights.open(path, { pages: 'huge', strategy: 'mmap' })).rejects.toThrow(RangeError);
    using direct = await Weights.open(path, { pages: 'huge', strategy: 'direct' });
    expect(bytesOf(direct.tensor('w').data)).toEqual(bytesOf(FLOATS));
  });
});

describe('toFloat32', () => {
  test('converts halves, whole numbers and 8-bit floats, whole or in part', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, {
      bf16: { dtype: 'bfloat16', shape: [3], data: Uint16Array.of(0x3f80, 0xc000, 0x7f80) },
      f16: { dtype: 'float16', shape: [4], data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0xfc00) },
      i16: Int16Array.of(-3, 4),
      f32: FLOATS,
      many: { dtype: 'float16', shape: [300_000], data: new Uint16Array(300_000).fill(0x3800) },
    });
    using weights = await Weights.open(path);
    const of = (name: string) => [...weights.tensor(name).toFloat32()];
    expect(of('bf16')).toEqual([1, -2, Number.POSITIVE_INFINITY]);
    expect(of('f16')).toEqual([1, -2, 2 ** -24, Number.NEGATIVE_INFINITY]);
    expect(of('i16')).toEqual([-3, 4]);
    expect(of('f32')).toEqual([...FLOATS]);
    expect(of('many').every((one) => one === 0.5)).toBe(true);
    const out = new Float32Array(5);
    expect(weights.tensor('f16').toFloat32(out, 2, 6)).toBe(out);
    expect([...out]).toEqual([-2, 2 ** -24, 0, 0, 0]);
    expect(errorOf(() => weights.tensor('f16').toFloat32(new Float32Array(3))).name).toBe('RangeError');
    expect(errorOf(() => weights.tensor('f16').toFloat32(undefined, 0, 3)).name).toBe('RangeError');
    expect(errorOf(() => weights.tensor('f16').toFloat32([] as never)).name).toBe('TypeError');
  });
});

describe('a lie in a safetensors file', () => {
  const entry = (over: object = {}) => ({ w: { dtype: 'F32', shape: [6], data_offsets: [0, 24], ...over } });
  const data = bytesOf(FLOATS);
  test.each<[string, Uint8Array, string]>([
    ['nothing in it', new Uint8Array(0), 'ERR_WEIGHTS_OPEN'],
    ['fewer than 8 bytes', Buffer.from('abc'), 'ERR_WEIGHTS_TRUNCATED'],
    ['a header beyond its end', safetensors('{}', new Uint8Array(0)).fill(200, 0, 1), 'ERR_WEIGHTS_TRUNCATED'],
    [
      'a header of 2^60 bytes',
      Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 16]), data]),
      'ERR_WEIGHTS_HEADER_SIZE',
    ],
    ['no UTF-8', safetensors('{}', data).fill(0xff, 9, 10), 'ERR_WEIGHTS_HEADER_UTF8'],
    ['no JSON', safetensors('{', data), 'ERR_WEIGHTS_HEADER_JSON'],
    [
      'a name twice',
      safetensors(
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"U8","shape":[24],"data_offsets":[0,24]}}',
        data,
      ),
      'ERR_WEIGHTS_DUPLICATE',
    ],
    ['an unknown type', safetensors(entry({ dtype: 'F31' }), data), 'ERR_WEIGHTS_DTYPE'],
    [
      'a shape too large to multiply',
      safetensors(JSON.stringify(entry()).replace('[6]', '[4294967296,4294967296]'), data),
      'ERR_WEIGHTS_SHAPE',
    ],
    ['another size than its shape', safetensors(entry({ shape: [5] }), data), 'ERR_WEIGHTS_SIZE'],
    ['an end before its beginning', safetensors(entry({ data_offsets: [24, 0] }), data), 'ERR_WEIGHTS_OFFSETS'],
    ['a hole', safetensors(entry({ data_offsets: [4, 28] }), Buffer.concat([data, data])), 'ERR_WEIGHTS_OFFSETS'],
    ['bytes behind the last tensor', safetensors(entry(), Buffer.concat([data, Buffer.of(1)])), 'ERR_WEIGHTS_TRAILING'],
    ['bytes missing', safetensors(entry(), data.subarray(1)), 'ERR_WEIGHTS_TRUNCATED'],
  ])('%s', async (_, content, code) => {
    const path = written('lie.safetensors', content);
    const error = await refusalOf(path);
    expect(error).toBeInstanceOf(WeightsError);
    expect([error.code, error.path]).toEqual([code, path]);
  });

  test('is refused or harmless, whichever byte is changed, cut or inserted: what is believed lies in the file', async () => {
    const random = randomFrom(11);
    const below = (n: number) => Math.floor(random() * n);
    const good = safetensors(
      { ...entry(), v: { dtype: 'I64', shape: [1], data_offsets: [24, 32] } },
      Buffer.concat([data, Buffer.alloc(8)]),
    );
    const path = join(ownFolder(), 'mutant.safetensors');
    let believed = 0;
    for (let i = 0; i < 2000; ++i) {
      let mutant = Buffer.from(good);
      const at = below(mutant.length);
      if (i % 3 === 0) mutant[at] = below(256);
      else if (i % 3 === 1) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + below(4))]);
      else mutant = Buffer.concat([mutant.subarray(0, at), Buffer.of(below(256)), mutant.subarray(at)]);
      writeFileSync(path, mutant);
      const opened = await Weights.open(path).catch((error) => {
        expect(error).toBeInstanceOf(WeightsError);
      });
      if (!opened) continue;
      ++believed;
      for (const tensor of opened) expect(tensor.place.end).toBeLessThanOrEqual(mutant.length);
      for (const tensor of opened) expect(tensor.data.byteLength).toBe(tensor.bytes);
      opened.close();
    }
    expect(believed).toBeGreaterThan(20);
    expect(believed).toBeLessThan(1500);
  });
});

describe('a checkpoint of several files', () => {
  async function shards(index: unknown, files: Record<string, Record<string, ArrayBufferView>>): Promise<string> {
    const folder = ownFolder();
    for (const [name, tensors] of Object.entries(files)) await Weights.write(join(folder, name), tensors as never);
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      typeof index === 'string' ? index : JSON.stringify(index),
    );
    return folder;
  }
  const files = {
    'a.safetensors': { one: Float32Array.of(1) },
    'b.safetensors': { two: Float32Array.of(2), three: Int8Array.of(3) },
  };
  const map = { one: 'a.safetensors', two: 'b.safetensors', three: 'b.safetensors' };

  test('is opened by its folder or its index', async () => {
    const folder = await shards({ metadata: { total_size: 9 }, weight_map: map }, files);
    for (const path of [folder, join(folder, 'model.safetensors.index.json')]) {
      using weights = await Weights.open(path);
      expect([...weights.tensors.keys()].sort()).toEqual(['one', 'three', 'two']);
      expect(Array.from(weights.tensor('three').data as Int8Array)).toEqual([3]);
    }
  });

  test.each<[string, unknown, string]>([
    ['a shard is missing', { weight_map: { ...map, one: 'c.safetensors' } }, 'ERR_WEIGHTS_NOT_FOUND'],
    ['a tensor is in another shard', { weight_map: { ...map, one: 'b.safetensors' } }, 'ERR_WEIGHTS_SHARD'],
    ['a tensor is in no shard', { weight_map: { ...map, four: 'a.safetensors' } }, 'ERR_WEIGHTS_SHARD'],
    ['a shard lies elsewhere', { weight_map: { one: '../a.safetensors' } }, 'ERR_WEIGHTS_SHARD_NAME'],
    ['a shard has an absolute path', { weight_map: { one: '/etc/passwd' } }, 'ERR_WEIGHTS_SHARD_NAME'],
    ['a name is twice', '{"weight_map":{"one":"a.safetensors","on\\u0065":"b.safetensors"}}', 'ERR_WEIGHTS_DUPLICATE'],
    ['it is no JSON', '{', 'ERR_WEIGHTS_INDEX_JSON'],
  ])('is refused if %s', async (_, index, code) => {
    expect((await refusalOf(await shards(index, files))).code).toBe(code);
  });

  test('does not follow a shard that is a link', async () => {
    const folder = await shards({ weight_map: map }, { 'b.safetensors': files['b.safetensors'] });
    const elsewhere = join(ownFolder(), 'secret');
    await Weights.write(elsewhere, files['a.safetensors']);
    symlinkSync(elsewhere, join(folder, 'a.safetensors'));
    expect((await refusalOf(folder)).code).toBe('ERR_WEIGHTS_OPEN');
  });
});

describe('what is no file of weights', () => {
  test.each<[string, string, (folder: string) => string]>([
    ['nothing', 'ERR_WEIGHTS_NOT_FOUND', (folder) => join(folder, 'x')],
    ['an empty folder', 'ERR_WEIGHTS_OPEN', (folder) => folder],
    ['a device', 'ERR_WEIGHTS_OPEN', () => '/dev/null'],
  ])('is refused: %s', async (_, code, make) => {
    expect((await refusalOf(make(ownFolder()))).code).toBe(code);
  });

  test('is refused without waiting if it is a named pipe', async () => {
    const path = join(ownFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect((await refusalOf(path)).code).toBe('ERR_WEIGHTS_OPEN');
  });

  test('is refused with a TypeError if the path is no path, or an option is none', async () => {
    await expect(Weights.open(7 as never)).rejects.toThrow(TypeError);
    await expect(Weights.open('x', { strategy: 'magic' as never })).rejects.toThrow('options.strategy');
  });
});

describe('workers', () => {
  test('see the file and not what another worker wrote to its view, and may end with views in use', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: FLOATS });
    using weights = await Weights.open(path);
    (weights.tensor('w').data as Float32Array)[0] = 77;
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { Weights } = require(workerData.entry);
      Weights.open(workerData.path).then((weights) => {
        globalThis.kept = weights.tensor('w').data;
        kept[1] = 5;
        parentPort.postMessage(kept[0]);
        setTimeout(() => {}, 10000);
      });`;
    const worker = new Worker(code, {
      eval: true,
      workerData: { path, entry: join(process.cwd(), 'dist', 'index.js') },
    });
    const seen = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
    expect(seen).toBe(1);
    expect((weights.tensor('w').data as Float32Array)[1]).toBe(-2.5);
  });
});
