// timeout and lateResults: runs that take too long, and what comes of their results.
import { describe, expect, test } from 'vitest';
import { type Cache, utf8 } from 'zerohop';
import { rejectionOf, TERMS } from '../fixtures/models.js';
import { anything, errorOf, openCache, turn, until } from '../fixtures/opened.js';

/** A model whose runs end when they are told to, and take too long. */
function late(over: object = {}, cache: Cache = openCache()) {
  const runs: { signal: AbortSignal; resolve(results: unknown): void; reject(reason: Error): void }[] = [];
  const model = cache.model<string, string, string, string>({
    ...TERMS,
    codec: utf8,
    timeout: 10,
    run: ((_: string[], { signal }: { signal: AbortSignal }) =>
      new Promise((resolve, reject) => runs.push({ signal, resolve, reject }))) as never,
    ...over,
  });
  const tooLate = async (...inputs: string[]) => {
    for (const one of await model.settle(inputs))
      expect((one as PromiseRejectedResult).reason.code).toBe('ERR_MODEL_TIMEOUT');
  };
  return { model, runs, tooLate };
}

describe('after its timeout', () => {
  test('a run that never ends has left its place to the next one', async () => {
    const { model, runs, tooLate } = late({ concurrency: 1, maxBatch: 1 });
    await tooLate('a', 'b', 'c');
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
    expect(runs[0]!.signal.reason.code).toBe('ERR_MODEL_TIMEOUT');
    expect(model.stats()).toMatchObject({ timedOut: 3, failed: 3, runs: 3, computed: 3 });
  });

  test('what a run gives is dropped', async () => {
    const { model, runs, tooLate } = late();
    await tooLate('a');
    runs[0]!.resolve(['late']);
    await turn();
    expect(model.peek('a')).toBeUndefined();
  });

  test('a run that fails leaves no rejection unhandled', async () => {
    const { runs, tooLate } = late();
    await tooLate('a');
    runs[0]!.reject(new Error('late'));
    const stored = late({ lateResults: 'store' });
    await stored.tooLate('a');
    stored.runs[0]!.reject(new Error('late'));
    await turn();
  });
});

describe("lateResults: 'store'", () => {
  const storing = (over: object = {}, cache?: Cache) => late({ lateResults: 'store', ...over }, cache);

  test('stores what comes late, with the time that it took; the run is not aborted', async () => {
    const { model, runs, tooLate } = storing({ concurrency: 1 });
    await tooLate('a', 'b');
    expect(runs[0]!.signal.aborted).toBe(false);
    runs[0]!.resolve(['A', new Error('not this')]);
    await until(() => model.peek('a') === 'A');
    expect(model.peek('b')).toBeUndefined();
    expect(model.entry('a')!.cost).toBeGreaterThanOrEqual(4.9); // half of the run
    expect(await model.predict('a')).toBe('A');
  });

  test('does not replace what was set, deleted or computed since', async () => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({ tags: (input: string) => [input] }, cache);
    await tooLate('set', 'deleted', 'tagged', 'computed', 'late');
    model.set('set', 'newer');
    model.delete('deleted');
    model.invalidateByTag('tagged');
    const patient = late({ timeout: undefined }, cache); // of the same keyspace
    const again = patient.model.predict('computed');
    await turn();
    patient.runs[0]!.resolve(['newer']);
    expect(await again).toBe('newer');
    runs[0]!.resolve(['old', 'old', 'old', 'old', 'late']);
    await until(() => model.peek('late') === 'late');
    expect(['set', 'deleted', 'tagged', 'computed'].map((input) => model.peek(input))).toEqual([
      'newer',
      undefined,
      undefined,
      'newer',
    ]);
  });

  test('stores while a later run for the input goes on, whose result replaces it', async () => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({}, cache);
    await tooLate('a');
    const patient = late({ timeout: undefined }, cache); // of the same keyspace
    const again = patient.model.predict('a');
    await turn();
    runs[0]!.resolve(['first']);
    await until(() => model.peek('a') === 'first');
    patient.runs[0]!.resolve(['second']);
    expect(await again).toBe('second');
    expect(model.peek('a')).toBe('second');
  });

  test('stores although callers asked again and again meanwhile: each result until a newer one is there', async () => {
    const { model, runs, tooLate } = storing();
    for (let i = 0; i < 4; ++i) await tooLate('a');
    runs[1]!.resolve(['second']);
    await until(() => model.peek('a') === 'second');
    runs[0]!.resolve(['first']);
    await turn();
    expect(model.peek('a')).toBe('second');
    runs[2]!.reject(new Error('late'));
    runs[3]!.resolve(['fourth']);
    await until(() => model.peek('a') === 'fourth');
    model.delete('a');
    await tooLate('a');
    runs[4]!.resolve(['fifth']);
    await until(() => model.peek('a') === 'fifth');
  });

  test('lets 16 runs go on at a time; beyond that a run is aborted', async () => {
    const { model, runs, tooLate } = storing({ maxBatch: 1 });
    await tooLate(...Array.from({ length: 18 }, (_, i) => `${i}`));
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([...new Array(16).fill(false), true, true]);
    runs[17]!.resolve(['late']);
    runs[3]!.resolve(['three']);
    runs[4]!.reject(new Error('late'));
    await until(() => model.peek('3') === 'three');
    expect(model.peek('17')).toBeUndefined();
    await tooLate('x', 'y', 'z');
    expect(runs.slice(18).map(({ signal }) => signal.aborted)).toEqual([false, false, true]);
  });

  const stored = (model: { peek(input: string): unknown }) => {
    try {
      return model.peek('a') !== undefined;
    } catch {
      return false; // the cache is closed
    }
  };

  test.each<[string, string, (cache: Cache, model: { drain(): Promise<boolean> }) => unknown]>([
    ['drain', 'ERR_MODEL_DRAINED', (_, model) => model.drain()],
    ['close', 'ERR_CACHE_CLOSED', (cache) => cache.close()],
    ['close with drain', 'ERR_MODEL_DRAINED', (cache) => cache.close({ drain: '1m' })],
  ])('gives late runs up at %s: they are aborted, and nothing is stored', async (_, code, end) => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({}, cache);
    await tooLate('a');
    expect((await end(cache, model)) ?? true).toBe(true);
    expect(runs[0]!.signal.reason).toMatchObject({ code });
    runs[0]!.resolve(['late']);
    await turn();
    expect(stored(model)).toBe(false);
  });

  test('keeps no input of a late run alive', async () => {
    const collected = new Set<number>();
    const registry = new FinalizationRegistry<number>((i) => collected.add(i));
    const cache = openCache();
    const model = cache.model({
      ...TERMS,
      codec: utf8,
      timeout: 5,
      lateResults: 'store',
      keepInputs: 10,
      run: (inputs: object[]) => {
        for (const [i, input] of inputs.entries()) registry.register(input, i);
        return new Promise<string[]>(() => {});
      },
    });
    await rejectionOf(model.predict({ text: 'a' }));
    await until(async () => {
      await turn();
      (globalThis as { gc?: () => void }).gc!();
      return collected.size === 1;
    });
  });

  test.each<[string, (cache: Cache, model: { clear(): void }) => void]>([
    ['the model', (_, model) => model.clear()],
    ['the cache', (cache) => cache.clear()],
  ])('stores nothing once %s was cleared', async (_, clear) => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({}, cache);
    await tooLate('a');
    clear(cache, model);
    runs[0]!.resolve(['late']);
    await turn();
    expect(model.peek('a')).toBeUndefined();
  });

  test('stores nothing of an input that another model of the same keyspace set', async () => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({}, cache);
    await tooLate('a');
    late({}, cache).model.set('a', 'set');
    runs[0]!.resolve(['late']);
    await turn();
    expect(model.peek('a')).toBe('set');
  });

  test('stores nothing that its callers had given up before, nor in a closed cache', async () => {
    const cache = openCache();
    const { model, runs, tooLate } = storing({}, cache);
    const controller = new AbortController();
    const left = rejectionOf(model.predict('left', { signal: controller.signal }));
    await turn();
    controller.abort(new Error('enough'));
    await left;
    await until(() => model.stats().timedOut === 1);
    runs[0]!.resolve(['late']);
    await turn();
    expect(model.peek('left')).toBeUndefined();
    await tooLate('a');
    cache.close();
    runs[1]!.resolve(['late']);
    await turn();
  });

  test('ends the memory of the failure', async () => {
    const { model, runs, tooLate } = storing({ negativeTtl: '1h' });
    await tooLate('a');
    await tooLate('a');
    expect(runs.length).toBe(1);
    runs[0]!.resolve(['A']);
    await until(() => model.peek('a') === 'A');
    model.delete('a');
    await tooLate('a');
    expect(runs.length).toBe(2);
  });

  test('ignores results that are no results', async () => {
    const { model, runs, tooLate } = storing();
    await tooLate('a');
    await tooLate('b');
    runs[0]!.resolve('none');
    runs[1]!.resolve([1]);
    await turn();
    expect([model.peek('a'), model.peek('b')]).toEqual([undefined, undefined]);
  });

  test.each([
    [{ lateResults: 'keep' }, /^options\.lateResults: expected 'drop' or 'store'/],
    [{ timeout: undefined }, /^options\.timeout: expected a duration, because of lateResults/],
    [{ upstream: 'redis://127.0.0.1:1' }, /^options\.lateResults: expected 'drop', because of the upstream/],
  ])('is refused with %j', (over, message) => {
    expect(errorOf(() => storing(anything(over))).message).toMatch(message);
  });
});
