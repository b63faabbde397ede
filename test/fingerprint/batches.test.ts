// Batches: native code hashes many inputs side by side, in parts, and judges plain typed arrays by itself. Each
// fingerprint is that of the input alone.
import { describe, expect, test } from 'vitest';
import * as addon from 'zerohop';
import * as pure from 'zerohop/fingerprint';
import { errorOf } from '../fixtures/opened.js';

const TERMS = { scope: pure.PUBLIC, model: 'm@1' } as const;

describe.each([
  ['by the addon', addon],
  ['in TypeScript', pure],
])('a batch made %s', (_, { fingerprintMany, fingerprinter }) => {
  const prepared = fingerprinter(TERMS);
  const alone = (inputs: readonly unknown[]) => inputs.map((input) => pure.fingerprint({ ...TERMS, input }).hex);
  const together = (inputs: readonly unknown[]) => Array.from(prepared.many(inputs), ({ hex }) => hex);

  test('of more texts than go over at once has the same fingerprints, whatever their lengths', () => {
    const lengths = [0, 1, 2, 7, 100, 130, 133, 134, 270, 5000, 40_000];
    const letters = ['a', 'é', '猫', '🙂'];
    const inputs = Array.from({ length: 700 }, (__, i) => {
      const letter = letters[Math.floor(i / 13) % letters.length]!;
      return i + letter.repeat(lengths[i % lengths.length]! / (i % 97 === 0 ? 1 : 9));
    });
    expect(together(inputs)).toEqual(alone(inputs));
  });

  test('names the first text with a lone surrogate, also if the next text has its other half', () => {
    for (const place of [0, 15, 255, 256, 600]) {
      const inputs: string[] = new Array(700).fill('x'.repeat(300));
      inputs[place] = 'a\ud83d';
      inputs[place + 1] = '\ude00b';
      const error = errorOf(() => fingerprintMany(inputs, TERMS));
      expect([error.name, error.message]).toEqual([
        'TypeError',
        expect.stringMatching(new RegExp(`^inputs\\[${place}\\]: .*surrogate`)),
      ]);
    }
  });

  test('of typed arrays of all kinds has the same fingerprints, wherever their memory is', () => {
    class Floats extends Float32Array {}
    const shared = new SharedArrayBuffer(64);
    const growing = new ArrayBuffer(64, { maxByteLength: 256 } as object);
    const tracking = [new Float32Array(growing), new Uint8Array(growing, 3), new Float64Array(growing, 8, 2)];
    (growing as unknown as { resize(bytes: number): void }).resize(128);
    const full = [
      new Int8Array([-1, 2]),
      new Uint8Array([1, 2, 3]),
      new Uint8ClampedArray([1, 2, 3]),
      new Int16Array([-1]),
      new Uint16Array(70).fill(9),
      new Int32Array(300).fill(-5),
      new Uint32Array([7]),
      new Float32Array(1024).fill(0.5),
      new Float64Array([-0, 0, Number.NaN]),
      new BigInt64Array([-1n]),
      new BigUint64Array([1n, 2n]),
      Buffer.from('some bytes'),
      new Floats([1, Number.NaN]),
      new Float32Array(shared, 4, 3),
      new Uint8Array(shared),
      ...tracking,
      pure.fingerprint({ ...TERMS, input: 1 }),
      new Uint8Array(300),
      Object.defineProperty(new Float32Array([1, 2]), 'length', { value: 1 }),
    ];
    expect(together(full)).toEqual(alone(full));
    for (const odd of [new Float32Array(), new Uint8Array(), new DataView(new ArrayBuffer(5)), [1], 'text', 1]) {
      const inputs = [...full, odd, ...full];
      expect(together(inputs)).toEqual(alone(inputs));
      expect(together([odd, ...full])).toEqual(alone([odd, ...full]));
    }
  });

  test('of tensors makes all NaNs one, in any place, and changes no memory of the caller', () => {
    for (const [Words, Floats, nan, other] of [
      [Uint32Array, Float32Array, 0x7fc00000, 0xff800001],
      [BigUint64Array, Float64Array, 0x7ff8000000000000n, 0xfff0000000000001n],
    ] as const) {
      for (const length of [1, 2, 3, 16, 33, 301]) {
        for (const place of new Set([0, Math.floor(length / 2), length - 1])) {
          const wanted = new Words(length);
          const words = new Words(length);
          wanted[place] = nan;
          words[place] = other;
          const batch = [words, wanted, words].map(({ buffer }) => new Floats(buffer));
          const [hex] = alone([new Floats(wanted.buffer)]);
          expect(together(batch)).toEqual([hex, hex, hex]);
          expect(words[place]).toBe(other);
        }
      }
    }
  });

  test('refuses detached and shrunk memory, and names it', () => {
    const detached = new Float32Array(4);
    structuredClone(detached, { transfer: [detached.buffer] });
    const buffer = new ArrayBuffer(16, { maxByteLength: 32 } as object);
    const shrunk = new Float32Array(buffer, 8, 2);
    (buffer as unknown as { resize(bytes: number): void }).resize(4);
    for (const lost of [detached, shrunk]) {
      const error = errorOf(() => fingerprintMany([new Float32Array(4), lost], TERMS));
      expect([error.name, error.message]).toEqual(['TypeError', expect.stringMatching(/^inputs\[1\]: .*not detached/)]);
    }
  });

  test('reads each input once, and as many as there were at first, even if a getter changes all of it', () => {
    for (const kind of [(i: number) => `text ${i}`, (i: number) => Int32Array.of(i)]) {
      const inputs: unknown[] = [kind(0), kind(1), kind(2), kind(3)];
      let reads = 0;
      Object.defineProperty(inputs, 1, {
        enumerable: true,
        get() {
          reads++;
          inputs.push(kind(9), kind(9));
          inputs[2] = kind(7);
          inputs[0] = 'gone';
          return kind(1);
        },
      });
      expect(together(inputs)).toEqual(alone([kind(0), kind(1), kind(7), kind(3)]));
      expect(reads).toBe(1);
      const shrinking = new Proxy([kind(0), kind(1), kind(2)], {
        get(target, name, self) {
          if (name === '1') target.length = 2;
          return Reflect.get(target, name, self) as unknown;
        },
      });
      expect(errorOf(() => fingerprintMany(shrinking, TERMS)).message).toMatch(/^inputs\[2\]: .*not a hole/);
    }
  });

  test('refuses an input whose memory a later one takes away', () => {
    const first = new Float32Array([1, 2]);
    const inputs: unknown[] = [first, undefined];
    Object.defineProperty(inputs, 1, {
      enumerable: true,
      get() {
        structuredClone(first, { transfer: [first.buffer] });
        return new Float32Array([3]);
      },
    });
    expect(errorOf(() => fingerprintMany(inputs, TERMS)).message).toMatch(/^inputs\[0\]: .*not detached/);
  });
});
