// Inputs of every kind find their own results, again and again, one by one and in batches.
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC, utf8 } from 'zerohop';
import { openCache } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const kinds: [string, (i: number) => unknown][] = [
  ['texts', (i) => `text ${i}`],
  ['long texts', (i) => `text ${i} `.repeat(300)],
  ['texts beyond ASCII', (i) => `é 漢 😀 ${i}`],
  ['tensors', (i) => new Float32Array(256).fill(i)],
  ['tensors with NaNs', (i) => Float32Array.of(i, Number.NaN)],
  ['tensors with shape', (i) => ({ dtype: 'int32', shape: [1, 2], data: Int32Array.of(i, 1) })],
  ['bytes', (i) => Buffer.from(`bytes ${i}`)],
  ['objects', (i) => ({ b: i, a: ['x', null] })],
  ['objects with tensors', (i) => ({ image: new Float32Array(64).fill(i), size: 64 })],
  ['numbers', (i) => i],
];

function echoing(cache: Cache, name: string) {
  const ran: unknown[] = [];
  const nameOf = (input: unknown) =>
    JSON.stringify(input, (_, each) => (ArrayBuffer.isView(each) ? [...(each as Uint8Array)] : each));
  const model = cache.model<unknown, string, string, string>({
    name,
    version: '1',
    scope: PUBLIC,
    codec: utf8,
    run: (inputs) => {
      ran.push(...inputs);
      return inputs.map(nameOf);
    },
  });
  return { model, ran, nameOf };
}

describe.each(kinds)('%s', (name, make) => {
  test('find their results, one by one', async () => {
    const cache = openCache();
    const { model, ran, nameOf } = echoing(cache, name);
    for (let round = 0; round < 4; ++round)
      for (let i = 0; i < 20; ++i) expect(await model.predict(make(i))).toBe(nameOf(make(i)));
    expect(ran).toHaveLength(20);
    expect(model.peek(make(3))).toBe(nameOf(make(3)));
    // One lookup each, whatever the input is made of.
    expect(cache.stats()).toMatchObject({ hits: 60, misses: 20 });
  });

  test('find their results in batches', async () => {
    const cache = openCache();
    const { model, ran, nameOf } = echoing(cache, name);
    for (let round = 0; round < 4; ++round) {
      const inputs = Array.from({ length: 30 }, (_, i) => make((i * 7) % (20 + round)));
      expect(await model.predictMany(inputs)).toEqual(inputs.map(nameOf));
    }
    expect(ran).toHaveLength(23);
    expect(await model.predict(make(5))).toBe(nameOf(make(5)));
    const { hits, misses } = cache.stats();
    expect(hits + misses).toBe(121);
  });
});

test('inputs of all kinds in one batch find their own results', async () => {
  const cache = openCache();
  const { model, ran, nameOf } = echoing(cache, 'mixed');
  const random = randomFrom(3);
  const all = kinds.flatMap(([, make]) => [0, 1, 2].map(make));
  for (let round = 0; round < 10; ++round) {
    const inputs = Array.from({ length: 40 }, () => all[Math.floor(random() * all.length)]);
    expect(await model.predictMany(inputs)).toEqual(inputs.map(nameOf));
  }
  expect(ran.length).toBeLessThanOrEqual(all.length);
  expect(cache.stats().hits + cache.stats().misses).toBe(400);
});

test('inputs that ask the same model while they are named keep their own result', async () => {
  const { model } = echoing(openCache(), 'nested');
  await model.predict('inner');
  const input = {
    get a() {
      void model.predict('inner');
      return 1;
    },
  };
  expect(await model.predict(input)).toBe('{"a":1}');
  expect(await model.predict(input)).toBe('{"a":1}');
  expect(await model.predictMany([input, 'inner'])).toEqual(['{"a":1}', '"inner"']);
});

test('inputs that changed between two calls are other inputs', async () => {
  const { model } = echoing(openCache(), 'changing');
  const input = new Float32Array(100);
  for (let i = 0; i < 30; ++i) {
    input[i] = i + 1;
    const expected = JSON.stringify([...input]);
    expect([await model.predict(input), await model.predict(input)]).toEqual([expected, expected]);
  }
});

test('inputs with a lone surrogate are refused, alone and in a batch', async () => {
  const { model, ran } = echoing(openCache(), 'surrogates');
  await expect(model.predict('a\ud800')).rejects.toThrow('surrogate');
  await expect(model.predictMany(['a', 'b\udc00'])).rejects.toThrow('inputs[1]');
  expect(ran).toEqual([]);
});
