import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { bytesOf, FLOATS, refusalOf, written } from '../fixtures/weights-files.js';

describe('a GGUF file', () => {
  /** As the format says, by nobody's code but this. */
  function gguf(values: [string, number, Buffer][], tensors: [string, number[], number, Buffer][]): Buffer {
    const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
    const u64 = (n: number) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
    const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
    const padded = (part: Buffer) => Buffer.concat([part, Buffer.alloc((32 - (part.length % 32)) % 32)]);
    let at = 0;
    const infos = tensors.map(([name, dims, type, data]) => {
      const info = Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(at)]);
      at += padded(data).length;
      return info;
    });
    const head = Buffer.concat([
      Buffer.from('GGUF'),
      u32(3),
      u64(tensors.length),
      u64(values.length),
      ...values.map(([key, type, value]) => Buffer.concat([text(key), u32(type), value])),
      ...infos,
    ]);
    return Buffer.concat([padded(head), ...tensors.map(([, , , data]) => padded(data))]);
  }

  test('shows its tensors, the outermost dimension first, and its values', async () => {
    const text = (value: string) =>
      Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(Buffer.byteLength(value))).buffer), Buffer.from(value)]);
    const list = Buffer.concat([
      Buffer.from(Uint32Array.of(8).buffer),
      Buffer.from(BigUint64Array.of(3n).buffer),
      ...['<s>', 'é', ''].map(text),
    ]);
    const content = gguf(
      [
        ['general.architecture', 8, text('llama')],
        ['llama.context_length', 4, Buffer.from(Uint32Array.of(4096).buffer)],
        ['big', 10, Buffer.from(BigUint64Array.of(2n ** 63n).buffer)],
        ['yes', 7, Buffer.of(1)],
        ['tokenizer.tokens', 9, list],
        [
          'scores',
          9,
          Buffer.concat([
            Buffer.from(Uint32Array.of(6).buffer),
            Buffer.from(BigUint64Array.of(2n).buffer),
            Buffer.from(Float32Array.of(0.5, -1).buffer),
          ]),
        ],
      ],
      [
        ['w', [3, 2], 0, Buffer.from(FLOATS.buffer)],
        ['q', [32], 2, Buffer.alloc(18, 7)],
      ],
    );
    using weights = await Weights.open(written('a.gguf', content));
    const { shape, dtype, data } = weights.tensor('w');
    expect([shape, dtype]).toEqual([[2, 3], 'F32']);
    expect(bytesOf(data)).toEqual(bytesOf(FLOATS));
    expect(weights.tensor('q')).toMatchObject({
      dtype: 'Q4_0',
      bytes: 18,
      quantization: { blockElements: 32, blockBytes: 18 },
    });
    expect([...weights].find(({ dtype }) => dtype === 'F32')?.quantization).toBeUndefined();
    // A block: a float16 scale, then 32 nibbles less 8, the lower ones first.
    const scale = (1 + 0x307 / 1024) * 2 ** -14; // 0x0707
    const floats = [...weights.tensor('q').toFloat32()];
    expect(floats).toEqual([...Array(16).fill(-scale), ...Array(16).fill(-8 * scale)]); // 0x07
    expect({ ...weights.metadata }).toEqual({
      'general.architecture': 'llama',
      'llama.context_length': 4096,
      big: 2n ** 63n,
      yes: true,
      'tokenizer.tokens': ['<s>', 'é', ''],
      scores: [0.5, -1],
    });
    expect(await weights.computeDigest()).toMatch(/^[0-9a-f]{64}$/);
  });

  test('that lies is refused with the place of the lie', async () => {
    const good = gguf([], [['w', [6], 0, Buffer.from(FLOATS.buffer)]]);
    const version = Buffer.from(good);
    version.writeUInt32LE(9, 4);
    const counts = Buffer.from(good);
    counts.writeBigUInt64LE(2n ** 50n, 8);
    expect(await refusalOf(written('a.gguf', version))).toMatchObject({ code: 'ERR_WEIGHTS_VERSION', offset: 4 });
    expect((await refusalOf(written('a.gguf', counts))).code).toBe('ERR_WEIGHTS_COUNT');
    expect((await refusalOf(written('a.gguf', good.subarray(0, good.length - 20)))).code).toBe('ERR_WEIGHTS_TRUNCATED');
  });
});
