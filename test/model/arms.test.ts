// Versions side by side, versions to come, and models one after another.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Cache, experiment, float32, type Model, PUBLIC, pipelineFingerprint, promote, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, openCache } from '../fixtures/opened.js';

const INPUTS = Array.from({ length: 1000 }, (_, i) => `input ${i}`);

describe('an experiment', () => {
  function arms(over: object = {}) {
    const cache = openCache();
    const { model: a, batches: ofA } = shouting(cache);
    const { model: b, batches: ofB } = shouting(cache, { version: '2', ...over });
    return { a, b, ofA, ofB };
  }

  test('gives a share of the inputs to b, the same ones each time, and never mixes results', async () => {
    const { a, b } = arms({ run: async (inputs: string[]) => inputs.map((input) => `${input}!`) });
    const trial = experiment({ a, b, share: 0.2 });
    const first = await Promise.all(INPUTS.map((input) => trial.predict(input)));
    expect(await Promise.all(INPUTS.map((input) => trial.predict(input)))).toEqual(first);
    const ofB = first.filter((result) => result.endsWith('!')).length;
    expect(ofB).toBeGreaterThan(140);
    expect(ofB).toBeLessThan(260);
    expect(first.map((result) => (result.endsWith('!') ? 'b' : 'a'))).toEqual(INPUTS.map((one) => trial.armOf(one)));
    const stats = trial.stats();
    expect(stats.a).toMatchObject({ version: '1', predictions: 2 * (1000 - ofB), hits: 1000 - ofB, hitRatio: 0.5 });
    expect(stats.b).toMatchObject({ version: '2', predictions: 2 * ofB, hits: ofB, failed: 0 });
    expect(stats.a.latency.p95).toBeGreaterThanOrEqual(stats.a.latency.p50);
    expect(stats.agreement).toEqual({ compared: 0, agreed: 0, rate: Number.NaN });
  });

  test('asks both for a share of predictions, and tells how often they agree', async () => {
    const { a, b } = arms({
      run: async (inputs: string[]) => inputs.map((one) => (one > 'input 5' ? 'B' : one.toUpperCase())),
    });
    const trial = experiment({ a, b, compareShare: 1 });
    for (const input of INPUTS.slice(0, 100)) await trial.predict(input);
    await sleep(10);
    const agreed = INPUTS.slice(0, 100).filter((one) => one <= 'input 5').length;
    expect(trial.stats().agreement).toEqual({ compared: 100, agreed, rate: agreed / 100 });
  });

  test('goes by who asks, if that is said; a failing arm is counted and nothing compared', async () => {
    const { a, b } = arms({ run: () => Promise.reject(new Error('no power')) });
    const trial = experiment({ a, b, share: 1, unitOf: () => 'me', compareShare: 1 });
    expect(trial.armOf('x')).toBe('b');
    expect((await rejectionOf(trial.predict('x'))).message).toBe('no power');
    await sleep(5);
    expect(trial.stats()).toMatchObject({ b: { failed: 1 }, agreement: { compared: 0 } });
    expect(experiment({ a, b, share: 0 }).armOf('x')).toBe('a');
  });

  test('refuses models of two tenants, because one would be given what the other asked for', () => {
    const cache = openCache({ maxBytes: '16MB' });
    const of = (scope: string | typeof PUBLIC, version: string) => shouting(cache, { scope, version }).model;
    for (const [a, b] of [
      [of('tenant a', '1'), of('tenant b', '2')],
      [of(PUBLIC, '1'), of('tenant b', '2')],
      [of('tenant a', '1'), of(PUBLIC, '2')],
    ] as const) {
      const error = errorOf(() => experiment({ a, b }));
      expect([error.name, error.code]).toEqual(['RangeError', 'ERR_OUT_OF_RANGE']);
      expect(error.message).toMatch(/^options\.b: expected a model with the scope of options\.a/);
    }
    expect(() => experiment({ a: of('tenant a', '1'), b: of('tenant a', '2') })).not.toThrow();
  });

  test('refuses what is no pair of versions', () => {
    const { a, b } = arms();
    const other = openCache().model({ ...TERMS, codec: float32(), run: () => [] });
    expect(errorOf(() => experiment({ a, b: a })).name).toBe('TypeError');
    expect(errorOf(() => experiment({ a, b: other as never })).name).toBe('RangeError');
    expect(errorOf(() => experiment({ a: {} as never, b })).message).toContain('options.a');
    expect(errorOf(() => experiment({ a, b, share: 2 })).name).toBe('RangeError');
    expect(errorOf(() => experiment({ a, b, compareShare: '1' as never })).name).toBe('TypeError');
    expect(errorOf(() => experiment({ a, b, compare: 'so so' as never })).name).toBe('TypeError');
  });
});

describe('promote', () => {
  test('computes the hottest inputs of one version under another', async () => {
    const cache = openCache();
    const { model: from } = shouting(cache, { keepInputs: 10 });
    const { model: to, batches } = shouting(cache, { version: '2' });
    for (const input of INPUTS.slice(0, 50)) await from.predict(input);
    for (let i = 0; i < 60; ++i) for (const input of ['input 3', 'input 40', 'input 41']) await from.predict(input);
    await to.predict('input 40');
    const seen: number[] = [];
    const done = await promote({
      from,
      to,
      top: 3,
      batch: 2,
      onProgress: ({ known, computed }) => seen.push(known + computed),
    });
    expect(done).toEqual({ inputs: 3, known: 1, computed: 2, failed: 0 });
    expect(seen).toEqual([2, 3]);
    expect(batches.flat().sort()).toEqual(['input 3', 'input 40', 'input 41']);
    expect(to.peek('input 3')).toBe('INPUT 3');
    expect(from.hottest(100)).toHaveLength(10);
  });

  test('tells how many inputs failed, and is given up by its signal', async () => {
    const cache = openCache();
    const { model: from } = shouting(cache, { keepInputs: 100 });
    const { model: to } = shouting(cache, { version: '2', run: () => Promise.reject(new Error('no power')) });
    await from.predictMany(INPUTS.slice(0, 5));
    expect(await promote({ from, to })).toEqual({ inputs: 5, known: 0, computed: 0, failed: 5 });
    const signal = AbortSignal.abort(new Error('enough'));
    expect((await rejectionOf(promote({ from, to, signal }))).message).toBe('enough');
  });

  test('gives no tenant the inputs of another', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const of = (scope: string | typeof PUBLIC, version: string) =>
      shouting(cache, { scope, version, keepInputs: 9 }).model;
    for (const [from, to] of [
      [of('tenant a', '1'), of('tenant b', '2')],
      [of('tenant a', '1'), of(PUBLIC, '2')],
      [of(PUBLIC, '1'), of('tenant b', '2')],
    ] as const) {
      await from.predict('secret');
      const refused = await rejectionOf(promote({ from, to }));
      expect([refused.name, refused.code]).toEqual(['RangeError', 'ERR_OUT_OF_RANGE']);
      expect(to.peek('secret')).toBeUndefined();
    }
    expect(await promote({ from: of('tenant a', '1'), to: of('tenant a', '2') })).toMatchObject({ failed: 0 });
  });

  test('knows no input that was not kept, or whose result is gone', async () => {
    const cache = openCache();
    const { model: unkept } = shouting(cache);
    const { model: from } = shouting(cache, { version: '2', keepInputs: 100 });
    const { model: to } = shouting(cache, { version: '3' });
    await unkept.predict('a');
    expect(await promote({ from: unkept, to })).toMatchObject({ inputs: 0 });
    await from.predictMany(['a', 'b', 'c']);
    from.delete('b');
    expect(await promote({ from, to })).toMatchObject({ inputs: 2, computed: 2 });
    from.clear();
    expect(from.hottest(5)).toEqual([]);
    expect((await rejectionOf(promote({ from, to: from }))).name).toBe('TypeError');
    expect((await rejectionOf(promote({ from: {} as never, to }))).name).toBe('TypeError');
  });

  test('keeps views as they were given', async () => {
    const make = (cache: Cache, version: string) =>
      cache.model<Float32Array, string, string, string>({
        ...TERMS,
        version,
        codec: utf8,
        keepInputs: 5,
        run: async (inputs) => inputs.map((input) => `${version}: ${input[0]}`),
      });
    const cache = openCache();
    const [from, to] = [make(cache, '1'), make(cache, '2')];
    const input = Float32Array.of(3);
    await from.predict(input);
    input[0] = 4;
    expect(await promote({ from, to })).toMatchObject({ computed: 1, failed: 0 });
    expect(to.peek(Float32Array.of(3))).toBe('2: 3');
  });
});

describe('a pipeline', () => {
  /** Three stages, which say what they ran. */
  function staged(cache: Cache, versions = ['1', '1', '1']) {
    const ran: string[] = [];
    const stage = (name: string, version: string) =>
      cache.model<string, string, string, string>({
        name,
        version,
        scope: PUBLIC,
        codec: utf8,
        run: async (inputs) => {
          ran.push(...inputs.map(() => name));
          return inputs.map((input) => `${input} ${name}${version}`);
        },
      });
    const stages = ['embed', 'classify', 'rank'].map((name, i) => stage(name, versions[i]!));
    const pipeline: Model<string, string, string> = cache.pipeline(stages, { name: 'search', scope: PUBLIC });
    return { pipeline, stages, ran };
  }

  test('answers from its own results, or from those of its stages', async () => {
    const { pipeline, stages, ran } = staged(openCache());
    expect(await pipeline.predict('q')).toBe('q embed1 classify1 rank1');
    expect(await pipeline.predict('q')).toBe('q embed1 classify1 rank1');
    expect(ran).toEqual(['embed', 'classify', 'rank']);
    pipeline.clear();
    expect(await pipeline.predict('q')).toBe('q embed1 classify1 rank1');
    expect(ran).toHaveLength(3);
    expect(stages.map((stage) => stage.stats().hits)).toEqual([1, 1, 1]);
    expect(await pipeline.predictMany(['q', 'r', 'q'])).toEqual(
      ['q', 'r', 'q'].map((one) => `${one} embed1 classify1 rank1`),
    );
    expect(ran).toHaveLength(6);
  });

  test('with one changed stage runs that stage and those behind it', async () => {
    const cache = openCache();
    await staged(cache).pipeline.predict('q');
    const { pipeline, ran } = staged(cache, ['1', '2', '1']);
    expect(await pipeline.predict('q')).toBe('q embed1 classify2 rank1');
    expect(ran).toEqual(['classify', 'rank']);
    const last = staged(cache, ['1', '2', '3']);
    expect(await last.pipeline.predict('q')).toBe('q embed1 classify2 rank3');
    expect(last.ran).toEqual(['rank']);
  });

  test('has the compound fingerprint of its stages', () => {
    const { pipeline } = staged(openCache());
    const models = ['embed', 'classify', 'rank'].map((name) => ({ name, version: '1', domain: '', params: undefined }));
    const own = pipelineFingerprint({ scope: PUBLIC, pipeline: 'search', models, input: 'q' });
    expect(pipeline.fingerprint('q').hex).toBe(own.hex);
  });

  test('joins callers, passes their giving up on, and fails as its stages do', async () => {
    const cache = openCache();
    const { pipeline, ran } = staged(cache);
    await Promise.all(Array.from({ length: 8 }, () => pipeline.predict('q')));
    expect(ran).toEqual(['embed', 'classify', 'rank']);
    let told: AbortSignal | undefined;
    const slow = cache.model<string, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: (_, { signal }) => {
        told = signal;
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    const controller = new AbortController();
    const asked = cache.pipeline([slow], { name: 'slow', scope: PUBLIC }).predict('q', { signal: controller.signal });
    await sleep(1);
    controller.abort(new Error('enough'));
    expect((await rejectionOf(asked)).message).toBe('enough');
    expect(told?.aborted).toBe(true);
    const failing = cache.model<string, string, string, string>({ ...TERMS, version: '2', codec: utf8, run: () => [] });
    const broken = cache.pipeline([failing], { name: 'broken', scope: PUBLIC });
    expect((await rejectionOf(broken.predict('q'))).code).toBe('ERR_MODEL_RESULT');
  });

  test('may be a stage itself', async () => {
    const cache = openCache();
    const { pipeline } = staged(cache);
    const { model } = shouting(cache);
    const whole = cache.pipeline<string, string>([pipeline, model], { name: 'whole', scope: PUBLIC });
    expect(await whole.predict('q')).toBe('Q EMBED1 CLASSIFY1 RANK1');
  });

  test('refuses what is no list of models', () => {
    const cache = openCache();
    const { model } = shouting(cache);
    expect(errorOf(() => cache.pipeline([], { name: 'p', scope: PUBLIC })).name).toBe('RangeError');
    expect(errorOf(() => cache.pipeline({} as never, { name: 'p', scope: PUBLIC })).name).toBe('TypeError');
    expect(errorOf(() => cache.pipeline([{} as never], { name: 'p', scope: PUBLIC })).message).toContain('stages[0]');
    expect(errorOf(() => cache.pipeline([model], { scope: PUBLIC } as never)).message).toContain('options.name');
    expect(errorOf(() => cache.pipeline([model], { name: 'p' } as never)).message).toContain('options.scope');
    expect(errorOf(() => cache.pipeline([model], { name: 'p', scope: PUBLIC, version: '1' } as never)).name).toBe(
      'TypeError',
    );
  });
});
