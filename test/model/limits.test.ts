// What has an end: runs that hang, background work that nobody waits for, refreshes that fail, inputs that are kept.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Cache, type Model, type ModelBaseOptions, promote, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, openCache, turn, uniqueName, until } from '../fixtures/opened.js';

/** The library's own clock, which no fake timers reach. */
const time = createRequire(__filename)('../../dist/base/time.js') as { now(): number };

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A model whose runs the test ends, one by one. */
function handed(over: Partial<ModelBaseOptions<string>> = {}, cache: Cache = openCache()) {
  const runs: { inputs: string[]; signal: AbortSignal; resolve(): void; reject(reason: unknown): void }[] = [];
  const model: Model<string, string, string> = cache.model<string, string, string, string>({
    ...TERMS,
    ...over,
    codec: utf8,
    run: (inputs, { signal }) =>
      new Promise((resolve, reject) => {
        const number = runs.length + 1;
        runs.push({ inputs, signal, reject, resolve: () => resolve(inputs.map((input) => `${input}${number}`)) });
      }),
  });
  /** The result of the next run. */
  const first = async (input: string) => {
    const asked = model.predict(input);
    await turn();
    runs.at(-1)!.resolve();
    return asked;
  };
  return { model, runs, first };
}

/** Its ttl has passed; it may be served all the same. */
async function untilStale(model: Model<string, string, string>, input: string, staleMs: number) {
  while (model.entry(input)!.ttl > staleMs) await sleep(5);
}

const HOUR_MS = 3_600_000;

describe('timeout', () => {
  test('ends a run that hangs: callers get ERR_MODEL_TIMEOUT, its signal is aborted, and nothing is stored', async () => {
    const { model, runs } = handed({ timeout: 5 });
    const asked = await Promise.all(['a', 'a', 'b'].map((input) => rejectionOf(model.predict(input))));
    expect(asked.map(({ code }) => code)).toEqual(Array(3).fill('ERR_MODEL_TIMEOUT'));
    expect(asked[0]!.message).toBe('run of m: no results of 2 inputs within 5 ms (options.timeout)');
    expect(runs[0]!.signal.reason).toBe(asked[0]);
    expect(model.stats()).toMatchObject({ runs: 1, timedOut: 1, failed: 2, computed: 2 });
    runs[0]!.resolve(); // too late
    await turn();
    expect(model.peek('a')).toBeUndefined();
  });

  test('frees the place among concurrent runs', async () => {
    const { model, runs } = handed({ timeout: 5, concurrency: 1, maxBatch: 1 });
    const [one, two] = [rejectionOf(model.predict('a')), rejectionOf(model.predict('b'))];
    expect((await one).code).toBe('ERR_MODEL_TIMEOUT');
    expect((await two).code).toBe('ERR_MODEL_TIMEOUT');
    expect(runs.map(({ inputs }) => inputs)).toEqual([['a'], ['b']]);
    expect(model.stats()).toMatchObject({ runs: 2, timedOut: 2 });
  });

  test('counts as a failure: a stale result is served, and the error is remembered', async () => {
    const { model, runs } = handed({ timeout: 5, ttl: 1, staleIfError: '1h', negativeTtl: '1h' });
    model.set('a', 'set');
    await untilStale(model, 'a', HOUR_MS);
    expect([await model.predict('a'), await model.predict('a')]).toEqual(['set', 'set']);
    expect(runs).toHaveLength(1);
    expect(model.stats()).toMatchObject({ staleOnError: 2, failedAgain: 1 });
  });

  test('also aborts the stages of a pipeline', async () => {
    const cache = openCache();
    const { model, runs } = handed({}, cache);
    const pipeline = cache.pipeline<string, string>([model], { name: 'p', scope: TERMS.scope, timeout: 5 });
    expect((await rejectionOf(pipeline.predict('a'))).code).toBe('ERR_MODEL_TIMEOUT');
    expect(runs[0]!.signal.aborted).toBe(true);
  });

  test('that did not pass leaves no trace: a run that throws gives its own error', async () => {
    const { model } = shouting(openCache(), {
      timeout: '1h',
      run: () => {
        throw new Error('mine');
      },
    });
    expect((await rejectionOf(model.predict('a'))).message).toBe('mine');
    const { model: quick } = shouting(openCache(), { timeout: '24d' });
    expect(await quick.predict('a')).toBe('A');
    expect(quick.stats().timedOut).toBe(0);
  });

  test('is a duration that fits into a timer', () => {
    const given = (timeout: unknown) => errorOf(() => shouting(openCache(), { timeout }));
    expect(given('25d').name).toBe('RangeError');
    expect(given(0).message).toMatch(/^options\.timeout: /);
    expect(given({}).name).toBe('TypeError');
  });
});

describe('a revalidation in the background', () => {
  test('that hangs is aborted when the last caller who joined it has left, and the next caller starts a new run', async () => {
    const terms = { name: uniqueName(), maxBytes: '4MB' } as const;
    const [cache, other] = [openCache(terms), openCache(terms)];
    const { model, runs, first } = handed({ ttl: 1, staleWhileRevalidate: '1h' }, cache);
    await first('a');
    await untilStale(model, 'a', HOUR_MS);
    expect(await model.predict('a')).toBe('a1');
    await turn();
    expect(runs).toHaveLength(2);
    handed({}, other).model.delete('a'); // as if the time to serve the stale one had passed
    const controller = new AbortController();
    const asked = [1, 2].map(() => rejectionOf(model.predict('a', { signal: controller.signal })));
    expect(runs).toHaveLength(2);
    controller.abort(new Error('enough'));
    expect((await Promise.all(asked)).map(({ message }) => message)).toEqual(['enough', 'enough']);
    expect(runs[1]!.signal.aborted).toBe(true);
    expect(await first('a')).toBe('a3');
    expect(model.stats().runs).toBe(3);
  });

  test('does not keep a run that it shares: told when the last caller has left, and the next one starts another', async () => {
    const { model, runs } = handed({ ttl: 1, staleWhileRevalidate: '1h', negativeTtl: '1h' });
    model.set('a', 'set');
    await untilStale(model, 'a', HOUR_MS);
    const controller = new AbortController();
    const asked = rejectionOf(model.predict('b', { signal: controller.signal }));
    expect(await model.predict('a')).toBe('set');
    await turn();
    expect(runs.map(({ inputs }) => inputs)).toEqual([['b', 'a']]);
    controller.abort(new Error('enough'));
    expect((await asked).message).toBe('enough');
    expect(runs[0]!.signal.reason).toBe(controller.signal.reason);
    expect(await model.predict('a')).toBe('set');
    await turn();
    expect(runs.slice(1).map(({ inputs }) => inputs)).toEqual([['a']]);
    runs[0]!.reject(new Error('told'));
    runs[1]!.resolve();
    await turn();
    expect(model.peek('a')).toBe('a2');
  });

  test('that a caller joined keeps its run when the others have left', async () => {
    const { model, runs } = handed({ ttl: 1, staleWhileRevalidate: 5000 });
    model.set('a', 'set');
    await untilStale(model, 'a', 5000);
    const controller = new AbortController();
    const asked = rejectionOf(model.predict('b', { signal: controller.signal }));
    await model.predict('a');
    await turn();
    const joined = model.predictMany(['b', 'a']);
    controller.abort(new Error('enough'));
    expect((await asked).message).toBe('enough');
    expect(runs[0]!.signal.aborted).toBe(false);
    runs[0]!.resolve();
    expect(await joined).toEqual(['b1', 'set']);
  });

  test('is ended by timeout, also if nobody waits', async () => {
    const { model, runs } = handed({ ttl: 1, staleWhileRevalidate: '1h', timeout: 5 });
    model.set('a', 'set');
    await untilStale(model, 'a', HOUR_MS);
    expect(await model.predict('a')).toBe('set');
    await until(() => model.stats().timedOut === 1);
    await turn();
    expect(runs[0]!.signal.aborted).toBe(true);
    expect(model.stats()).toMatchObject({ failed: 1, runs: 1 });
  });

  test('goes on while nobody waits, and a caller who gives up elsewhere does not end it', async () => {
    const { model, runs, first } = handed({ ttl: 1, staleWhileRevalidate: '1h' });
    await first('a');
    await untilStale(model, 'a', HOUR_MS);
    const controller = new AbortController();
    expect(await model.predict('a', { signal: controller.signal })).toBe('a1');
    await turn();
    controller.abort();
    expect(runs[1]!.signal.aborted).toBe(false);
    runs[1]!.resolve();
    await turn();
    expect(model.peek('a')).toBe('a2');
  });

  test('that fails is not tried again at every stale hit, but after 1 s, 2 s, 4 s, up to a minute', async () => {
    const { model, runs, first } = handed({ ttl: 1, staleWhileRevalidate: '1h' });
    await first('a');
    await untilStale(model, 'a', HOUR_MS);
    let nowMs = 0;
    vi.spyOn(time, 'now').mockImplementation(() => nowMs);
    const hit = async () => {
      expect(await model.predict('a')).toBe('a1');
      await turn();
    };
    const rests: number[] = [];
    for (let round = 0; round < 8; ++round) {
      await hit();
      runs.at(-1)!.reject(new Error('no power'));
      await turn();
      const before = runs.length;
      let rest = 0;
      do {
        nowMs += 500;
        rest += 500;
        await hit();
      } while (runs.length === before);
      rests.push(rest);
      runs.at(-1)!.reject(new Error('no power'));
      await turn();
      nowMs += 60_000;
    }
    expect(rests).toEqual([1000, 4000, 16_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
    await hit();
    runs.at(-1)!.resolve();
    await turn();
    expect(model.peek('a')).toBe(`a${runs.length}`);
  });

  test('is tried again at once after its result was set or deleted, and for other inputs', async () => {
    const { model, runs, first } = handed({ ttl: 1, staleWhileRevalidate: '1h' });
    await first('a');
    await untilStale(model, 'a', HOUR_MS);
    await model.predict('a');
    await turn();
    runs[1]!.reject(new Error('no power'));
    await turn();
    model.set('a', 'set');
    model.set('b', 'set');
    await untilStale(model, 'a', HOUR_MS);
    await untilStale(model, 'b', HOUR_MS);
    expect(await model.predictMany(['a', 'b', 'a'])).toEqual(['set', 'set', 'set']);
    await turn();
    expect(runs.slice(2).map(({ inputs }) => inputs)).toEqual([['a', 'b']]);
  });
});

describe('keepInputs', () => {
  const keeping = (keepInputs: unknown, maxBytes = '4MB') => {
    const cache = openCache({ maxBytes });
    const make = (version: string) =>
      cache.model<Uint8Array, string, string, string>({
        ...TERMS,
        version,
        codec: utf8,
        keepInputs: keepInputs as number,
        run: (inputs) => inputs.map((input) => `${input[0]}`),
      });
    return { from: make('1'), to: make('2') };
  };
  const input = (n: number, bytes: number) => new Uint8Array(bytes).fill(n);

  test('keeps inputs within a sixteenth of the cache’s bytes, whatever their size', async () => {
    const { from } = keeping(100);
    for (const bytes of [2 ** 21, 50_000])
      for (let i = 0; i < 20; ++i) {
        await from.predict(input(i, bytes));
        expect(from.stats().keptBytes).toBeLessThanOrEqual(2 ** 18);
      }
    expect(from.stats().keptInputs).toBeGreaterThan(0);
    expect(from.hottest(100).every(({ length }) => length === 50_000)).toBe(true);
    from.clear();
    expect(from.stats()).toMatchObject({ keptInputs: 0, keptBytes: 0 });
  });

  test('keeps as many bytes as it is told, and of equally hot inputs the last ones', async () => {
    const { from, to } = keeping({ count: 100, maxBytes: 100_000 });
    for (let i = 0; i < 30; ++i) await from.predict(input(i, 10_000));
    const { keptInputs, keptBytes } = from.stats();
    expect(keptInputs).toBeGreaterThanOrEqual(4);
    expect(keptBytes).toBeLessThanOrEqual(100_000);
    expect(from.hottest(1)[0]![0]).toBe(29);
    expect(await promote({ from, to })).toMatchObject({ computed: keptInputs });
    for (let i = 0; i < 30; ++i) from.delete(input(i, 10_000));
    expect(from.stats()).toMatchObject({ keptInputs: 0, keptBytes: 0 });
  });

  test.each([
    ['text', () => 'x'.repeat(1000), 1000],
    ['lists', () => Array(100).fill(0), 100],
    ['objects', () => ({ a: 'x'.repeat(500), b: [new Uint8Array(500)] }), 1000],
    ['memory', () => new ArrayBuffer(1000), 1000],
  ])('counts the bytes of %s', async (_, make, least) => {
    const model = openCache().model<unknown, string, string, string>({
      ...TERMS,
      codec: utf8,
      keepInputs: 5,
      run: (inputs) => inputs.map(() => 'done'),
    });
    await model.predict(make());
    expect(model.stats().keptInputs).toBe(1);
    expect(model.stats().keptBytes).toBeGreaterThanOrEqual(least);
  });

  test('leaves out members that do not count, whatever their size', async () => {
    const cache = openCache();
    const model = cache.model<{ q: string; client?: unknown }, string, string, string>({
      ...TERMS,
      codec: utf8,
      keepInputs: 5,
      fingerprint: { exclude: ['client'] },
      run: (inputs) => inputs.map(({ client }) => typeof client),
    });
    expect(await model.predict({ q: 'a', client: new Uint8Array(2 ** 20) })).toBe('object');
    model.set({ q: 'b', client: 1 }, 'set');
    expect(model.hottest(5)).toEqual([{ q: 'b' }, { q: 'a' }]);
    expect(model.stats().keptBytes).toBeLessThan(1000);
  });

  test('gives copies of what is kept', async () => {
    const { from } = keeping(5);
    await from.predict(input(1, 10));
    from.hottest(1)[0]!.fill(9);
    expect(from.hottest(1)).toEqual([input(1, 10)]);
  });

  test('is a count, or a count and bytes', () => {
    const given = (keepInputs: unknown) => errorOf(() => keeping(keepInputs));
    expect(given(-1).message).toMatch(/^options\.keepInputs: /);
    expect(given({}).message).toMatch(/^options\.keepInputs\.count: /);
    expect(given({ count: 1, maxBytes: 'much' }).message).toMatch(/^options\.keepInputs\.maxBytes: /);
    expect(given({ count: 1, bytes: 1 }).message).toMatch(/^options\.keepInputs\.bytes: /);
    expect(given('many').name).toBe('TypeError');
  });
});

test('fake timers do not delay a batch', async () => {
  const { model } = shouting(openCache(), { run: (inputs: string[]) => inputs, timeout: '1h' });
  vi.useFakeTimers({ toFake: ['queueMicrotask', 'setTimeout', 'setImmediate', 'performance', 'Date'] });
  expect(await Promise.all([model.predict('a'), model.predict('b')])).toEqual(['a', 'b']);
  expect(model.stats().runs).toBe(1);
});
