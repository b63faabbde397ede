// Checkpoints as the external data of ONNX models.
import { truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { answer, glibc, nodeMajor } from '../fixtures/child.js';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

describe('externalData', () => {
  test('is each file by its name, over the mapping', async () => {
    const folder = ownFolder();
    const [one, two] = ['one.safetensors', 'two.safetensors'];
    await Weights.write(join(folder, one), { a: Float32Array.of(1, 2) });
    await Weights.write(join(folder, two), { b: Float32Array.of(3) });
    const index = join(folder, 'model.safetensors.index.json');
    writeFileSync(index, JSON.stringify({ weight_map: { a: one, b: two } }));
    const weights = await Weights.open(index);
    const [first, second] = weights.externalData();
    expect(weights.externalData().map(({ path }) => path)).toEqual([one, two]);
    expect(first!.data.length + second!.data.length).toBe(weights.bytes);
    for (const [name, { data }] of [
      ['a', first!],
      ['b', second!],
    ] as const) {
      const tensor = weights.tensor(name);
      expect(basename(tensor.place.path)).toBe(name === 'a' ? one : two);
      expect(data.buffer).toBe(tensor.data.buffer);
      expect(data.byteOffset + tensor.place.begin).toBe(tensor.data.byteOffset);
    }
    weights.close();
    expect(first!.data.length).toBeGreaterThan(0); // who was given it may still read it
    expect(errorOf(() => weights.externalData()).code).toBe('ERR_WEIGHTS_CLOSED');
  });

  test('of a file beyond 4 GiB is whole, or refused where Node cannot show it', async () => {
    const path = join(ownFolder(), 'large.safetensors');
    const bytes = 2 ** 32;
    const header = Buffer.from(JSON.stringify({ a: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([length, header]));
    truncateSync(path, 8 + header.length + bytes); // nothing of it is on the disk
    const weights = await Weights.open(path);
    if (nodeMajor >= 22) {
      const [{ data } = expect.unreachable()] = weights.externalData();
      expect([data.length, data.byteOffset, data[8]]).toEqual([weights.bytes, 0, 0x7b]);
    } else {
      const error = errorOf(() => weights.externalData());
      expect(error).toMatchObject({ name: 'WeightsError', code: 'ERR_WEIGHTS_WINDOW', path });
      expect(error.message).toContain('give the session the path of a model beside it');
    }
    weights.close();
  });
});

// Of onnxruntime-node 1.30: the documentation says so, and a version that does otherwise must not come unnoticed.
describe.skipIf(!glibc)('a session of onnxruntime-node', () => {
  test('computes with the weights it was made with, whatever becomes of them', async () => {
    const kept = { open: ['right', true], written: 'right', closed: [true, 'right'] };
    expect(await answer('onnx-weights.mjs', { args: [ownFolder()] })).toEqual({
      small: kept,
      smallUnpacked: kept,
      large: kept,
      largeUnpacked: kept,
      dropped: [true, 'right'],
      twoFiles: 'right',
      // Not open here, mapped by the session.
      fromPath: [false, true, 'right'],
      closedEarly: 'right',
      asInputs: [
        [4, 2],
        [7, 5],
        [7, 5],
      ],
    });
  });
});
