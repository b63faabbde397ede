// Models that do not give the same twice: found out by comparing hits, or kept several answers of.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { float32, json, type MismatchEvent, number, utf8 } from 'zerohop';
import { TERMS } from '../fixtures/models.js';
import { errorOf, openCache } from '../fixtures/opened.js';

/** Gives each time what `next` says. */
function drifting(codec: never, next: () => unknown, verify: unknown) {
  return openCache().model<string, never, never, never>({
    ...TERMS,
    codec,
    verify: verify as number,
    run: async (inputs) => inputs.map(() => next() as never),
  });
}

describe('verify', () => {
  test('computes hits again, and reports nothing of a model that gives the same', async () => {
    let runs = 0;
    const model = drifting(utf8 as never, () => `${++runs && 'same'}`, 1);
    for (let i = 0; i < 30; ++i) expect(await model.predict('a')).toBe('same');
    await sleep(5);
    expect(model.stats()).toMatchObject({ hits: 29, verified: 29, mismatches: 0, distrusted: false, computed: 30 });
    expect(runs).toBe(30);
  });

  test('takes a model that does not out of the cache, with an event, until it is trusted again', async () => {
    const events: MismatchEvent[] = [];
    const listen = (event: unknown) => events.push(event as MismatchEvent);
    subscribe('zerohop:mismatch', listen);
    let drawn = 0;
    const model = drifting(number as never, () => ++drawn, { rate: 1, bound: 0.1, after: 3 });
    expect(await model.predict('a')).toBe(1);
    for (let i = 0; i < 3; ++i) {
      expect(await model.predict('a')).toBe(1);
      await sleep(2);
    }
    expect(model.stats()).toMatchObject({ verified: 3, mismatches: 3, distrusted: true });
    expect(events.map(({ mismatches, distrusted }) => [mismatches, distrusted])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    expect(events[0]).toMatchObject({ model: 'm', version: '1', fingerprint: model.fingerprint('a').hex });
    expect(model.peek('a')).toBeUndefined();
    const [one, other] = [await model.predict('a'), await model.predict('a')];
    expect(other).not.toBe(one);
    expect(model.peek('a')).toBeUndefined();
    expect(await model.predict('a', { cache: 'only-if-cached' }).catch(({ code }) => code)).toBe(
      'ERR_MODEL_NOT_CACHED',
    );
    model.trust();
    const again = await model.predict('a');
    expect(await model.predict('a')).toBe(again);
    unsubscribe('zerohop:mismatch', listen);
  });

  test('accepts a share of mismatches below the bound', async () => {
    let runs = 0;
    const model = drifting(number as never, () => (++runs % 20 === 0 ? 1 : 0), { rate: 1, bound: 0.2, after: 5 });
    for (let i = 0; i < 60; ++i) {
      await model.predict('a');
      await sleep(0);
    }
    await sleep(5);
    const { verified, mismatches, distrusted } = model.stats();
    expect([verified, mismatches, distrusted]).toEqual([59, 3, false]);
  });

  test.each([
    ['bitwise', Float32Array.of(1, 2), Float32Array.of(1, 2), true],
    ['bitwise', Float32Array.of(0), Float32Array.of(-0), false],
    ['top-1', Float32Array.of(0.1, 0.9), Float32Array.of(0.4, 0.6), true],
    ['top-1', Float32Array.of(0.1, 0.9), Float32Array.of(0.6, 0.4), false],
    [{ tolerance: 0.01 }, Float32Array.of(1, 2), Float32Array.of(1.005, 1.995), true],
    [{ tolerance: 0.01 }, Float32Array.of(1, 2), Float32Array.of(1.02, 2), false],
    [{ tolerance: 1 }, Float32Array.of(1, 2), Float32Array.of(1, Number.NaN), false],
    [{ tolerance: 1 }, Float32Array.of(1, 2), Float32Array.of(1), false],
    [{ cosine: 0.99 }, Float32Array.of(1, 1), Float32Array.of(5, 5), true],
    [{ cosine: 0.99 }, Float32Array.of(1, 0), Float32Array.of(1, 1), false],
    [{ cosine: 0.5 }, Float32Array.of(0, 0), Float32Array.of(1, 1), false],
    [(a: Float32Array, b: Float32Array) => a.length === b.length, Float32Array.of(1), Float32Array.of(9), true],
  ])('compares by %o: %o and %o', async (compare, first, second, same) => {
    const given = [first, second];
    const model = drifting(float32() as never, () => given.shift(), { rate: 1, compare });
    await model.predict('a');
    await model.predict('a');
    await sleep(5);
    expect(model.stats()).toMatchObject({ verified: 1, mismatches: same ? 0 : 1 });
  });

  test('takes a failing run for no mismatch, and does not store what it compares', async () => {
    let runs = 0;
    const model = drifting(
      json as never,
      () => {
        if (++runs === 2) throw new Error('no power');
        return { runs };
      },
      1,
    );
    await model.predict('a');
    await model.predict('a');
    await sleep(5);
    await model.predict('a');
    await sleep(5);
    expect(model.stats()).toMatchObject({ verified: 1, mismatches: 1, failed: 1 });
    expect(model.peek('a')).toEqual({ runs: 1 });
  });

  test('refuses what is no share or no comparison, and replicas beside it', () => {
    const given = (verify: unknown, over = {}) =>
      errorOf(() => openCache().model({ ...TERMS, codec: utf8, verify: verify as number, run: () => [], ...over }));
    expect(given(1.1).name).toBe('RangeError');
    expect(given('all').name).toBe('TypeError');
    expect(given({ rate: 1, compare: 'nearly' }).name).toBe('TypeError');
    expect(given({ rate: 1, compare: { cosine: 2 } }).name).toBe('RangeError');
    expect(given({ rate: 1, compare: { cosine: 1, tolerance: 1 } }).name).toBe('TypeError');
    expect(given({ compare: 'bitwise' }).message).toContain('options.verify.rate');
    expect(given(0.5, { replicas: 3 }).name).toBe('RangeError');
  });
});

describe('replicas', () => {
  test('keep so many answers of an input, and give a caller any of them', async () => {
    let drawn = 0;
    const model = openCache().model<string, number, number, number>({
      ...TERMS,
      codec: number,
      params: { temperature: 0.7 },
      replicas: 3,
      run: async (inputs) => inputs.map(() => ++drawn),
    });
    const given = new Set<number>();
    for (let i = 0; i < 200; ++i) given.add(await model.predict('a'));
    expect([...given].sort()).toEqual([1, 2, 3]);
    expect(model.stats()).toMatchObject({ computed: 3, hits: 197 });
    expect(await model.predictMany(['a', 'a', 'a', 'a'])).toHaveLength(4);
    expect([1, 2, 3]).toContain(model.peek('a'));
    expect(model.delete('a')).toBe(true);
    expect(model.peek('a')).toBeUndefined();
    expect(await model.predict('a')).toBe(4);
  });

  test('of inputs that can change are each stored under the right name', async () => {
    const model = openCache().model<Float32Array, number, number, number>({
      ...TERMS,
      codec: number,
      replicas: 4,
      run: async (inputs) => inputs.map((input) => input[0]!),
    });
    const input = Float32Array.of(5);
    for (let i = 0; i < 20; ++i) expect(await model.predict(input)).toBe(5);
    const asked = model.predict(Float32Array.of(6));
    expect(await asked).toBe(6);
  });

  test('are 1 to 1 024, and what a temperature without a seed needs', () => {
    const given = (over: object) => errorOf(() => openCache().model({ ...TERMS, codec: utf8, run: () => [], ...over }));
    expect(given({ replicas: 0 }).name).toBe('RangeError');
    expect(given({ replicas: 1.5 }).name).toBe('RangeError');
    expect(given({ params: { temperature: 1 } }).message).toContain('replicas');
  });
});
