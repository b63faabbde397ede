// The end of a model and of a cache: what is under way is finished or given up, and what is new is refused.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Cache, open, PUBLIC, promote, type RunContext, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { anything, openCache, turn, until } from '../fixtures/opened.js';

/** A model whose runs end when they are told to. */
function handed(cache: Cache, over: object = {}) {
  const runs: { inputs: string[]; signal: AbortSignal; finish(): void }[] = [];
  const model = cache.model<string, string, string, string>({
    ...TERMS,
    codec: utf8,
    run: (inputs: string[], { signal }: RunContext) =>
      new Promise<string[]>((resolve) => {
        runs.push({ inputs, signal, finish: () => resolve(inputs.map((input) => input.toUpperCase())) });
      }),
    ...over,
  });
  return { model, runs };
}

const ended = async (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => true), sleep(20).then(() => false)]);

describe('drain of a model', () => {
  test('finishes what is under way and what waits for its turn, and refuses what is new', async () => {
    const { model, runs } = handed(openCache(), { concurrency: 1, maxBatch: 1 });
    const asked = model.predictMany(['a', 'b']);
    const draining = model.drain();
    expect(await rejectionOf(model.predict('c'))).toMatchObject({ name: 'CacheError', code: 'ERR_MODEL_DRAINED' });
    const joined = model.predict('b');
    expect(await ended(draining)).toBe(false);
    runs[0]!.finish();
    await turn();
    runs[1]!.finish();
    expect(await asked).toEqual(['A', 'B']);
    expect(await joined).toBe('B');
    expect(await draining).toBe(true);
    expect(runs.length).toBe(2);
    expect(model.stats()).toMatchObject({ asked: 4, missed: 3, joined: 1, computed: 2 });
  });

  test('still gives what is stored, also in a batch in which something else is refused', async () => {
    const { model } = shouting(openCache());
    await model.predict('a');
    expect(await model.drain()).toBe(true);
    expect(await model.predict('a')).toBe('A');
    const [hit, refused] = await model.settle(['a', 'b']);
    expect(hit).toEqual({ status: 'fulfilled', value: 'A' });
    expect((refused as PromiseRejectedResult).reason.code).toBe('ERR_MODEL_DRAINED');
    for (const cache of ['no-store', 'reload'] as const)
      expect((await rejectionOf(model.predict('a', { cache }))).code).toBe('ERR_MODEL_DRAINED');
    expect((await rejectionOf(model.predictMany(['b']))).code).toBe('ERR_MODEL_DRAINED');
    expect((await rejectionOf(model.predict('b', { cache: 'only-if-cached' }))).code).toBe('ERR_MODEL_NOT_CACHED');
  });

  test('gives a stale result rather than an error, and renews none', async () => {
    const { model, batches } = shouting(openCache(), { ttl: 1, staleWhileRevalidate: '1h' });
    model.set('a', 'set');
    await sleep(5);
    await model.drain();
    expect(await model.predict('a')).toBe('set');
    await turn();
    expect(batches).toEqual([]);
  });

  test('compares and promotes nothing any more', async () => {
    const cache = openCache();
    const from = shouting(cache, { version: '1', keepInputs: 5 }).model;
    const { model, batches } = shouting(cache, { version: '2', verify: 1 });
    await from.predict('a');
    await model.predict('b');
    await model.drain();
    expect(await model.predict('b')).toBe('B');
    expect(await promote({ from, to: model })).toMatchObject({ failed: 1 });
    expect(batches).toEqual([['b']]);
  });

  test('gives up what takes too long: its signal is aborted, and its callers get the error', async () => {
    const { model, runs } = handed(openCache());
    const asked = rejectionOf(model.predict('a'));
    await turn();
    expect(await model.drain({ timeout: 10 })).toBe(false);
    expect((await asked).code).toBe('ERR_MODEL_DRAINED');
    expect(runs[0]!.signal.aborted).toBe(true);
    runs[0]!.finish();
    await turn();
    expect(model.peek('a')).toBeUndefined();
  });

  test('with a timeout of 0 gives up all at once, also what waits to be run', async () => {
    const { model, runs } = handed(openCache(), { batchWindow: 50 });
    const asked = rejectionOf(model.predictMany(['a', 'b']));
    const waits = rejectionOf(model.predict('c'));
    expect(await model.drain({ timeout: 0 })).toBe(false);
    expect([(await asked).code, (await waits).code]).toEqual(['ERR_MODEL_DRAINED', 'ERR_MODEL_DRAINED']);
    await sleep(60);
    expect(runs.length).toBe(1);
  });

  test('may be asked for twice: both wait for the same, and the shorter timeout counts', async () => {
    const { model, runs } = handed(openCache());
    const asked = model.predict('a');
    await turn();
    const both = [model.drain(), model.drain({ timeout: '1m' })];
    runs[0]!.finish();
    expect(await Promise.all([...both, asked])).toEqual([true, true, 'A']);
    expect(await model.drain()).toBe(true);

    const other = handed(openCache());
    const given = rejectionOf(other.model.predict('a'));
    expect(await Promise.all([other.model.drain(), other.model.drain({ timeout: 5 })])).toEqual([false, false]);
    expect((await given).code).toBe('ERR_MODEL_DRAINED');
  });

  test('does not wait for callers who gave up', async () => {
    const { model } = handed(openCache());
    const controller = new AbortController();
    const asked = rejectionOf(model.predict('a', { signal: controller.signal }));
    await turn();
    const draining = model.drain();
    controller.abort(new Error('enough'));
    expect((await asked).message).toBe('enough');
    expect(await draining).toBe(true);
  });

  test('waits for a refresh that nobody waits for', async () => {
    const { model, runs } = handed(openCache(), { ttl: 1, staleWhileRevalidate: '1h' });
    model.set('a', 'set');
    await sleep(5);
    expect(await model.predict('a')).toBe('set');
    await turn();
    const draining = model.drain();
    expect(await ended(draining)).toBe(false);
    runs[0]!.finish();
    expect(await draining).toBe(true);
    expect(model.peek('a')).toBe('A');
  });

  test('is of that model alone: a new one of the same name computes', async () => {
    const cache = openCache();
    await shouting(cache).model.drain();
    expect(await shouting(cache).model.predict('a')).toBe('A');
  });

  test.each([[{ timeout: -1 }], [{ timeout: 'soon' }], [{ drain: '5s' }], [5]])('refuses %j', async (options) => {
    const { model } = shouting(openCache());
    expect((await rejectionOf(model.drain(anything(options)))).name).toMatch(/^(Type|Range)Error$/);
    expect(await model.predict('a')).toBe('A');
  });

  test('of an idle stage refuses the pipelines that run too: a pipeline is drained before its stages', async () => {
    const cache = openCache();
    const { model: stage, runs } = handed(cache, { name: 'first' });
    const last = shouting(cache, { name: 'last' }).model;
    const search = cache.pipeline([stage, last], { name: 'search', scope: PUBLIC });
    const asked = search.predict('a');
    await turn();
    const draining = search.drain();
    runs[0]!.finish();
    expect(await asked).toBe('A');
    expect(await draining).toBe(true);
    const other = cache.pipeline([stage, last], { name: 'other', scope: PUBLIC });
    const late = rejectionOf(other.predict('b'));
    await turn();
    await last.drain();
    runs[1]!.finish();
    expect((await late).code).toBe('ERR_MODEL_DRAINED');
  });

  test('of a stage that is busy lets the pipelines finish that run, and refuses them later', async () => {
    const cache = openCache();
    const { model: stage, runs } = handed(cache, { name: 'second' });
    const first = shouting(cache, { name: 'first' }).model;
    const search = cache.pipeline<string, string>([first, stage], { name: 'search', scope: PUBLIC });
    const asked = search.predict('a');
    await turn(); // the first stage runs
    const busy = stage.predict('x');
    const draining = stage.drain();
    await sleep(10);
    expect(runs.flatMap(({ inputs }) => inputs).sort()).toEqual(['A', 'x']); // in either order
    for (const { finish } of runs) finish();
    expect(await Promise.all([asked, busy, draining])).toEqual(['A', 'X', true]);
    expect((await rejectionOf(search.predict('b'))).code).toBe('ERR_MODEL_DRAINED');
  });
});

describe('close with drain', () => {
  test('finishes what all models do, refuses what is new, and closes', async () => {
    const cache = openCache();
    const { model, runs } = handed(cache);
    const other = shouting(cache, { name: 'other' }).model;
    const asked = model.predict('a');
    await turn();
    const closing = cache.close({ drain: '1m' });
    expect((await rejectionOf(other.predict('b'))).code).toBe('ERR_MODEL_DRAINED');
    cache.set('k', new Uint8Array(1));
    expect(cache.has('k')).toBe(true);
    runs[0]!.finish();
    expect(await asked).toBe('A');
    expect(await closing).toBe(true);
    expect(() => cache.has('k')).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CLOSED' }));
    expect((await rejectionOf(model.predict('a'))).code).toBe('ERR_CACHE_CLOSED');
    expect(await cache.close({ drain: '1m' })).toBe(true);
  });

  test('lets pipelines, and runs that hand on their signal, ask other models until they are done', async () => {
    const cache = openCache();
    const inner = shouting(cache, { name: 'inner' }).model;
    const outer = cache.model<string, string, string, string>({
      ...TERMS,
      name: 'outer',
      codec: utf8,
      async runOne(input, { signal }) {
        await sleep(5);
        const one = await inner.predict(input, { signal });
        await sleep(5);
        return inner.predict(`${one} again`, { signal });
      },
    });
    const stages = [shouting(cache, { name: 'stage' }).model, outer];
    const search = cache.pipeline<string, string>(stages, { name: 'search', scope: PUBLIC });
    const asked = search.predict('a');
    await turn();
    const closing = cache.close({ drain: '1m' });
    expect(await asked).toBe('A AGAIN');
    expect(await closing).toBe(true);
  });

  test('gives up what takes too long', async () => {
    const cache = openCache();
    const { model, runs } = handed(cache);
    const asked = rejectionOf(model.predict('a'));
    await turn();
    expect(await cache.close({ drain: 10 })).toBe(false);
    expect((await asked).code).toBe('ERR_MODEL_DRAINED');
    expect(runs[0]!.signal.aborted).toBe(true);
  });

  test.each<[string, object, number]>([
    ['the timeout of a run that ignores its signal', { timeout: '10m' }, 0],
    ['the window of a batch', { batchWindow: 60_000 }, 1],
  ])('leaves nothing that keeps the process alive: not %s', async (_, over, waiting) => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const cache = openCache();
    const { model } = handed(cache, over);
    const asked = rejectionOf(model.predict('a'));
    await turn();
    expect(timers()).toBe(before + 1);
    expect(await cache.close({ drain: waiting })).toBe(false);
    await asked;
    await until(() => timers() <= before);
  });

  test('is ended by close, and then callers get ERR_CACHE_CLOSED', async () => {
    const cache = openCache();
    const { model, runs } = handed(cache);
    const asked = rejectionOf(model.predict('a'));
    await turn();
    const closing = cache.close({ drain: '1m' });
    cache.close();
    expect(await closing).toBe(false);
    runs[0]!.finish();
    expect((await asked).code).toBe('ERR_CACHE_CLOSED');
  });

  test('of an idle cache closes at once', async () => {
    for (const options of [{}, { drain: 0 }, { drain: '1m' }, { drain: undefined }]) {
      const cache = open({ maxBytes: '1MB' });
      expect(await cache.close(options)).toBe(true);
      expect(() => cache.get('a')).toThrow(expect.objectContaining({ code: 'ERR_CACHE_CLOSED' }));
    }
  });

  test.each([[{ drain: -1 }], [{ drain: Infinity }], [{ drain: '5 lightyears' }], [{ timeout: 5 }], [5]])(
    'refuses %j, and the cache stays open',
    async (options) => {
      const cache = openCache();
      expect((await rejectionOf(cache.close(anything(options)) as never)).name).toMatch(/^(Type|Range)Error$/);
      expect(cache.has('a')).toBe(false);
    },
  );
});

describe('close', () => {
  test('lets runs go on, begins nothing new, and stores nothing', async () => {
    const cache = openCache();
    const { model, runs } = handed(cache);
    const asked = rejectionOf(model.predict('a'));
    await turn();
    cache.close();
    expect(runs[0]!.signal.aborted).toBe(false);
    for (const cacheMode of ['default', 'no-store', 'reload'] as const)
      expect((await rejectionOf(model.predict('d', { cache: cacheMode }))).code).toBe('ERR_CACHE_CLOSED');
    runs[0]!.finish();
    expect((await asked).code).toBe('ERR_CACHE_CLOSED');
    expect(runs.length).toBe(1);
  });

  test('ends a run that closes the cache itself', async () => {
    const cache = openCache();
    const model = cache.model<string, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: (inputs) => {
        cache.close();
        return inputs;
      },
    });
    expect((await rejectionOf(model.predict('a'))).code).toBe('ERR_CACHE_CLOSED');
  });
});
