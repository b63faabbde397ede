// How long results are served: ttl, jitter, stale while revalidated, stale if computing fails, failures remembered.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, inTime, openCache } from '../fixtures/opened.js';

/** A model that answers with a number that grows, or fails while told to. */
function counting(over: object) {
  let runs = 0;
  const state = { failing: false, ran: 0 };
  const model = openCache().model<string, string, string, string>({
    ...TERMS,
    codec: utf8,
    async run(inputs) {
      ++state.ran;
      if (state.failing) throw new Error('no power');
      ++runs;
      return inputs.map((input) => `${input}${runs}`);
    },
    ...over,
  });
  return { model, state };
}

/** Until `entry` has so much of its time left, or less. */
async function untilLeft(left: () => number, ms: number) {
  while (left() > ms) await sleep(Math.max(1, Math.min(20, left() - ms)));
}

describe('staleWhileRevalidate', () => {
  test('serves what is stale, and computes it anew, once, for those who come later', async () => {
    await inTime(200, async (ttl) => {
      const { model, state } = counting({ ttl, staleWhileRevalidate: '1h' });
      const left = () => model.entry('a')!.ttl;
      expect(await model.predict('a')).toBe('a1');
      expect(await model.predict('a')).toBe('a1');
      if (left() <= 3_600_000) return false;
      expect(state.ran).toBe(1);
      await untilLeft(left, 3_600_000);
      expect(await Promise.all([model.predict('a'), model.predict('a')])).toEqual(['a1', 'a1']);
      await sleep(5);
      expect(await model.predict('a')).toBe('a2');
      if (left() <= 3_600_000) return false;
      expect(state.ran).toBe(2);
      expect(model.stats()).toMatchObject({ hits: 4, staleHits: 2, missed: 1, computed: 2, failed: 0 });
      return true;
    });
  });

  test('does so in a batch too', async () => {
    const { model } = counting({ ttl: 20, staleWhileRevalidate: '1h' });
    expect(await model.predictMany(['a', 'b', 'a'])).toEqual(['a1', 'b1', 'a1']);
    await untilLeft(() => Math.max(model.entry('a')!.ttl, model.entry('b')!.ttl), 3_600_000);
    expect(await model.predictMany(['a', 'b'])).toEqual(['a1', 'b1']);
    await sleep(5);
    expect(await model.predictMany(['b', 'a'])).toEqual(['b2', 'a2']);
  });

  test('leaves the stale result where the refresh fails', async () => {
    const { model, state } = counting({ ttl: 20, staleWhileRevalidate: '1h' });
    await model.predict('a');
    await untilLeft(() => model.entry('a')!.ttl, 3_600_000);
    state.failing = true;
    expect(await model.predict('a')).toBe('a1');
    await sleep(5);
    expect(await model.predict('a')).toBe('a1');
    expect(model.stats().failed).toBe(1);
  });

  test('computes from a copy of a view, so the caller may fill the buffer again at once', async () => {
    const seen: number[] = [];
    const model = openCache().model<Float32Array, string, string, string>({
      ...TERMS,
      codec: utf8,
      ttl: 20,
      staleWhileRevalidate: '1h',
      run: async (inputs) => {
        await sleep(2);
        return inputs.map((input) => `${seen.push(input[0]!)} ${input[0]}`);
      },
    });
    const input = Float32Array.of(1);
    expect(await model.predict(input)).toBe('1 1');
    await untilLeft(() => model.entry(Float32Array.of(1))!.ttl, 3_600_000);
    const served = model.predict(input);
    input[0] = 7;
    expect(await served).toBe('1 1');
    await sleep(10);
    expect(await model.predict(Float32Array.of(1))).toBe('2 1');
    expect(seen).toEqual([1, 1]);
    expect(model.stats().failed).toBe(0);
  });
});

describe('staleIfError', () => {
  test('serves a stale result only if no new one can be computed', async () => {
    const { model, state } = counting({ ttl: 20, staleIfError: '1h' });
    expect(await model.predict('a')).toBe('a1');
    await untilLeft(() => model.entry('a')!.ttl, 3_600_000);
    state.failing = true;
    expect(await model.predict('a')).toBe('a1');
    expect(await model.predictMany(['a'])).toEqual(['a1']);
    expect(model.stats()).toMatchObject({ staleOnError: 2, failed: 2, staleHits: 0 });
    expect((await rejectionOf(model.predict('b'))).message).toBe('no power');
    state.failing = false;
    expect(await model.predict('a')).toBe('a2');
  });

  test('serves it to only-if-cached, and a caller who gives up gets the reason of the signal', async () => {
    const { model, state } = counting({ ttl: 20, staleIfError: '1h' });
    await model.predict('a');
    await untilLeft(() => model.entry('a')!.ttl, 3_600_000);
    expect(await model.predict('a', { cache: 'only-if-cached' })).toBe('a1');
    state.failing = true;
    const controller = new AbortController();
    const asked = model.predict('a', { signal: controller.signal });
    controller.abort(new Error('enough'));
    expect((await rejectionOf(asked)).message).toBe('enough');
  });
});

describe('negativeTtl', () => {
  test('gives the same error to those who ask again, until its time is over or the result was set', async () => {
    const { model, state } = counting({ negativeTtl: 60_000 });
    state.failing = true;
    const first = await rejectionOf(model.predict('a'));
    expect(await rejectionOf(model.predict('a'))).toBe(first);
    expect((await rejectionOf(model.predictMany(['a', 'a']))) === first).toBe(true);
    expect(state.ran).toBe(1);
    expect(model.stats()).toMatchObject({ failed: 1, failedAgain: 3, missed: 1, asked: 4 });
    expect((await rejectionOf(model.predict('a', { cache: 'reload' }))).message).toBe('no power');
    expect(state.ran).toBe(2);
    state.failing = false;
    model.delete('a');
    expect(await model.predict('a')).toBe('a1');
  });

  test('ends', async () => {
    const { model, state } = counting({ negativeTtl: 10 });
    state.failing = true;
    await rejectionOf(model.predict('a'));
    state.failing = false;
    await sleep(15);
    expect(await model.predict('a')).toBe('a1');
  });

  test('does not remember a run that ended because everybody gave up', async () => {
    const { model, batches } = shouting(openCache(), { negativeTtl: 60_000 });
    const controller = new AbortController();
    const asked = model.predict('a', { signal: controller.signal });
    await sleep(0);
    controller.abort();
    await rejectionOf(asked);
    expect(await model.predict('a')).toBe('A');
    expect(batches.length).toBe(2);
  });
});

describe('ttl', () => {
  test('is shortened at random by ttlJitter', async () => {
    const { model } = shouting(openCache(), { ttl: '1h', ttlJitter: 0.5 });
    const inputs = Array.from({ length: 50 }, (_, i) => `${i}`);
    await model.predictMany(inputs);
    const left = inputs.map((input) => model.entry(input)!.ttl);
    expect(Math.min(...left)).toBeGreaterThan(1_790_000);
    expect(Math.max(...left)).toBeLessThanOrEqual(3_600_000);
    expect(Math.max(...left) - Math.min(...left)).toBeGreaterThan(300_000);
  });

  test('is that of the cache where the model has none', async () => {
    const { model } = shouting(openCache({ ttl: '1h' }));
    await model.predict('a');
    expect(model.entry('a')!.ttl).toBeLessThanOrEqual(3_600_000);
    expect(model.entry('a')!.ttl).toBeGreaterThan(3_500_000);
  });

  test('is required where there is a stale time, which must have an end', () => {
    const cache = openCache();
    expect(errorOf(() => shouting(cache, { staleIfError: 5 })).message).toContain('options.staleIfError');
    expect(errorOf(() => shouting(cache, { staleWhileRevalidate: 5 })).name).toBe('RangeError');
    expect(errorOf(() => shouting(cache, { ttl: 5, staleWhileRevalidate: Infinity })).name).toBe('RangeError');
    expect(errorOf(() => shouting(cache, { ttl: 5, staleIfError: 'soon' })).name).toBe('TypeError');
    expect(errorOf(() => shouting(cache, { negativeTtl: -1 })).name).toBe('RangeError');
  });
});
