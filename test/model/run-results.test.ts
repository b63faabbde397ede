// What `run` may give beside results: what Promise.allSettled gives, and results that say how they are kept; and what
// an error says of a result that is none.
import { describe, expect, test } from 'vitest';
import { bytes, float32, json, result, utf8 } from 'zerohop';
import { rejectionOf, TERMS } from '../fixtures/models.js';
import { anything, errorOf, openCache, turn } from '../fixtures/opened.js';

/** A model of JSON that answers with what `run` gives. */
const giving = (run: (inputs: string[]) => unknown, over: object = {}) =>
  openCache().model<string, unknown, unknown, unknown>({ ...TERMS, codec: json, run: run as never, ...over });

const load = async (id: string) => {
  if (id.startsWith('bad')) throw new Error(`no ${id}`);
  return id.toUpperCase();
};

describe('what Promise.allSettled gives', () => {
  test.each([
    ['json', json],
    ['utf8', utf8],
    [
      'a codec of the caller’s own',
      { encode: (text: string) => Buffer.from(text), decode: (of: Uint8Array) => Buffer.from(of).toString() },
    ],
  ])('fails the rejected inputs alone, and keeps the results of the others (%s)', async (_, codec) => {
    const model = openCache().model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: codec as typeof json,
      run: (ids) => Promise.allSettled(ids.map(load)),
    });
    const asked = ['a', 'bad', 'b'].map((id) => model.predict(id));
    expect((await rejectionOf(asked[1]!)).message).toBe('no bad');
    expect([await asked[0], await asked[2]]).toEqual(['A', 'B']);
    expect(model.peek('bad')).toBeUndefined();
    expect((await rejectionOf(model.predict('bad'))).message).toBe('no bad');
    expect(model.stats()).toMatchObject({ hits: 0, failed: 2, computed: 4 });
  });

  test('may stand beside plain results', async () => {
    const model = giving(async (ids) => [1, ...(await Promise.allSettled(ids.slice(1).map(load)))]);
    expect(await model.predictMany(['a', 'b'])).toEqual([1, 'B']);
  });

  test('may be rejected with a DOMException of another realm', async () => {
    const reason = { [Symbol.toStringTag]: 'DOMException', name: 'TimeoutError', message: 'late' };
    const error = await rejectionOf(giving(() => [{ status: 'rejected', reason }]).predict('a'));
    expect(error).toBe(reason);
  });

  test('may have results in it that say how they are kept', async () => {
    const model = giving((ids) => Promise.allSettled(ids.map(async (id) => result(id, { cost: 70 }))));
    expect(await model.predict('a')).toBe('a');
    expect(model.entry('a')!.cost).toBeCloseTo(70);
  });

  test('that rejected with no Error is refused: it may be a result of that form, which `result` keeps', async () => {
    const verdict = { status: 'rejected', reason: 'fraud' };
    const refused = await rejectionOf(giving((ids) => ids.map(() => verdict)).predict('a'));
    expect(refused).toMatchObject({ code: 'ERR_MODEL_RESULT', cause: 'fraud' });
    expect(refused.message).toMatch(/^run of m, result 0: rejected, .* string "fraud" .*wrap it: result\(object\)/);
    const model = giving((ids) => ids.map(() => result(verdict)));
    expect(await model.predict('a')).toEqual(verdict);
    expect(await model.predict('a')).toEqual(verdict);
  });

  test.each([
    { status: 'fulfilled', value: 1, more: 1 },
    { status: 'rejected' },
    { status: 'pending', value: 1 },
    { status: 'rejected', value: 1 },
  ])('is nothing else: %j is a result', async (one) => {
    expect(await giving((ids) => ids.map(() => one)).predict('a')).toEqual(one);
  });

  test('without a value is no result', async () => {
    const error = await rejectionOf(giving(() => Promise.allSettled([undefined])).predict('a'));
    expect(error.message).toBe('run of m, result 0: expected a result, received undefined');
  });
});

describe('a result that says how it is kept', () => {
  test('has its own ttl, cost and tags', async () => {
    const model = giving((ids) => ids.map((id) => result(id, { ttl: '1h', cost: 70, tags: ['own'] })), {
      ttl: '2h',
      tags: (id: string) => [`id:${id}`],
    });
    await model.predictMany(['a', 'b', 'c']);
    const { ttl, cost } = model.entry('a')!;
    expect(ttl).toBeGreaterThan(3_500_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect(cost).toBeCloseTo(70);
    expect(model.invalidateByTag('id:a')).toBe(1);
    expect(model.invalidateByTag('own')).toBe(2);
  });

  test('has the model’s terms where it says nothing', async () => {
    const model = giving((ids) => ids.map((id) => result(id)), { ttl: '2h' });
    expect(await model.predict('a')).toBe('a');
    expect(model.entry('a')!.ttl).toBeGreaterThan(7_000_000);
    expect(model.stats()).toMatchObject({ computed: 1, upstreamHits: 0 });
  });

  test('may be any object, also one with a value, or an Error, which fails its input', async () => {
    const model = giving((ids) => ids.map((id) => result(id === 'bad' ? new Error('no') : { value: 1, ttl: 5 })));
    expect(await model.predict('a')).toEqual({ value: 1, ttl: 5 });
    expect(await model.predict('a')).toEqual({ value: 1, ttl: 5 });
    expect((await rejectionOf(model.predict('bad'))).message).toBe('no');
  });

  test('that was not computed is counted as found upstream, and the run’s time is not its cost', async () => {
    const model = giving(
      (ids) => {
        for (const end = performance.now() + 5; performance.now() < end; );
        return ids.map((id) => (id === 'new' ? id : result(id, { computed: false })));
      },
      { ttl: '1h' },
    );
    await model.predictMany(['old', 'new', 'older']);
    expect(model.stats()).toMatchObject({ asked: 3, upstreamHits: 2, missed: 1, computed: 1, runs: 1 });
    expect(model.entry('old')!.cost).toBe(0);
    expect(model.entry('new')!.cost).toBeGreaterThanOrEqual(4.9);
    const { hits, computed, gpuSeconds } = model.report({ gpuHourPrice: 3600 });
    expect({ hits, computed }).toEqual({ hits: 2, computed: 1 });
    expect(gpuSeconds.used).toBeGreaterThanOrEqual(0.0049); // the whole run
  });

  test('that was not computed saves what it cost to compute, if it says so', async () => {
    const model = giving((ids) => ids.map((id) => result(id, { computed: false, cost: 5000 })));
    await model.predict('a');
    expect(model.stats()).toMatchObject({ computed: 0, savedMs: 5000 });
    await model.predict('a');
    expect(model.stats()).toMatchObject({ hits: 1, savedMs: 10_000 });
  });

  test('of a refresh is not counted as asked for', async () => {
    const model = giving((ids) => ids.map((id) => result(id, { computed: false })), {
      ttl: 1,
      staleWhileRevalidate: '1h',
    });
    model.set('a', 'set');
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await model.predict('a')).toBe('set');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(model.peek('a')).toBe('a');
    expect(model.stats()).toMatchObject({ asked: 1, hits: 1, upstreamHits: 0, missed: 0, computed: 0 });
  });

  test('is not stored if one of its tags was invalidated since its run began', async () => {
    const finish: (() => void)[] = [];
    const model = giving(
      (ids) => new Promise((resolve) => finish.push(() => resolve(ids.map((id) => result(id, { tags: [id] }))))),
    );
    const asked = model.predictMany(['own', 'other']);
    await turn();
    model.invalidateByTag('own');
    finish[0]!();
    expect(await asked).toEqual(['own', 'other']);
    expect([model.peek('own'), model.peek('other')]).toEqual([undefined, 'other']);
    const again = model.predict('own');
    await turn();
    finish[1]!();
    await again;
    expect(model.peek('own')).toBe('own');
  });

  test('is refused if its tags and those of its input are more than 16 together', async () => {
    const tags = (name: string) => Array.from({ length: 9 }, (_, i) => `${name}${i}`);
    const model = giving((ids) => ids.map((id) => result(id, { tags: tags('a') })), { tags: () => tags('b') });
    expect(await rejectionOf(model.predict('x'))).toMatchObject({ code: 'ERR_MODEL_RESULT' });
    expect(model.peek('x')).toBeUndefined();
  });

  test.each([
    [{ ttl: 0 }, 'options.ttl'],
    [{ cost: Number.NaN }, 'options.cost'],
    [{ tags: [''] }, 'options.tags[0]'],
    [{ computed: 1 }, 'options.computed'],
    [{ value: 1 }, 'options.value'],
  ])('throws where it is made for %j', (options, name) => {
    expect(errorOf(() => result(1, anything(options))).message).toMatch(
      new RegExp(`^${name.replace(/[[\]]/g, '\\$&')}: `),
    );
  });
});

describe('ERR_MODEL_RESULT says which result, what was expected, and what was received', () => {
  const vectors = (run: (ids: string[]) => unknown) =>
    openCache().model({ ...TERMS, name: 'q4', codec: float32(384), run: run as never });

  test.each<[string, (ids: string[]) => unknown, string]>([
    ['a plain array', () => [Array(384).fill(0)], 'result 0: expected Float32Array of 384, received Array of 384'],
    [
      'other dimensions',
      () => [new Float32Array(3)],
      'result 0: expected Float32Array of 384, received Float32Array of 3',
    ],
    [
      'another type',
      () => [new Float64Array(384)],
      'result 0: expected Float32Array of 384, received Float64Array of 384',
    ],
    ['an object', () => [{ embedding: [] }], 'result 0: expected Float32Array of 384, received an instance of Object'],
    ['null', () => [null], 'result 0: expected Float32Array of 384, received null'],
    ['a hole', () => new Array(1), 'result 0: expected a result, received undefined'],
  ])('for %s', async (_, run, message) => {
    const error = await rejectionOf(vectors(run).predict('a'));
    expect(error).toMatchObject({ name: 'CacheError', code: 'ERR_MODEL_RESULT' });
    expect(error.message).toBe(`run of q4, ${message}`);
  });

  test.each<[string, unknown, string]>([
    ['too few', [1], 'an array of 2 results, received one of 1'],
    ['too many', [1, 2, 3], 'an array of 2 results, received one of 3'],
    ['none', undefined, 'an array of 2 results, received undefined'],
    ['an object', { data: [] }, 'an array of 2 results, received an instance of Object'],
    ['a Map', new Map(), 'an array of 2 results, received an instance of Map'],
  ])('for %s', async (_, given, message) => {
    const error = await rejectionOf(vectors(() => given).predictMany(['a', 'b']));
    expect(error).toMatchObject({ code: 'ERR_MODEL_RESULT', message: `run of q4: expected ${message}` });
  });

  test('for promises, and then it names what takes them', async () => {
    const error = await rejectionOf(vectors((ids) => ids.map(load)).predict('bad'));
    expect(error.message).toMatch(/^run of q4, result 0: .*promise.* await Promise\.allSettled\(…\), or give runOne/);
  });

  test('for promises of another number, and their rejections are handled', async () => {
    const error = await rejectionOf(vectors((ids) => ids.slice(1).map(load)).predictMany(['a', 'bad']));
    expect(error.message).toBe('run of q4: expected an array of 2 results, received one of 1');
    await turn(); // an unhandled rejection would fail the test
  });

  test('for a member that JSON does not keep', async () => {
    const error = await rejectionOf(giving((ids) => ids.map(() => ({ at: new Date() }))).predict('a'));
    expect(error.message).toMatch(/^run of m, result 0\.at: expected what JSON gives back/);
  });

  test('for bytes', async () => {
    const model = openCache().model({ ...TERMS, codec: bytes, run: () => anything(['text']) });
    const error = await rejectionOf(model.predict('a'));
    expect(error.message).toBe('run of m, result 0: expected a Uint8Array, received string "text"');
  });
});

test('a pipeline gives whatever its last stage gives, also what looks like one of Promise.allSettled', async () => {
  const cache = openCache();
  const verdicts = [
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: 'fraud' },
  ];
  const stage = cache.model({ ...TERMS, codec: json, run: (ids: string[]) => ids.map((id) => result(verdicts[+id])) });
  const pipeline = cache.pipeline([stage], { name: 'p', scope: TERMS.scope });
  expect(await pipeline.predictMany(['0', '1'])).toEqual(verdicts);
});

describe('settle', () => {
  test('gives for each input a result or an error, and stores the results', async () => {
    const model = giving((ids) => Promise.allSettled(ids.map(load)));
    const settled = await model.settle(['a', 'bad', 'b', 'a']);
    expect(settled).toEqual([
      { status: 'fulfilled', value: 'A' },
      { status: 'rejected', reason: new Error('no bad') },
      { status: 'fulfilled', value: 'B' },
      { status: 'fulfilled', value: 'A' },
    ]);
    expect(await model.settle(['a'], { cache: 'only-if-cached' })).toEqual([{ status: 'fulfilled', value: 'A' }]);
    expect(model.stats().runs).toBe(1);
  });

  test.each([{}, { negativeTtl: '1m' }])(
    'fails an input alone if nothing is stored, or its tags throw (%j)',
    async (over) => {
      const tags = (id: string) => {
        if (id === 'bad') throw new Error('no tags');
        return [];
      };
      const model = giving((ids) => ids, { ...over, tags });
      const statuses = async (options?: { cache: 'only-if-cached' }) =>
        (await model.settle(['a', 'bad', 'b'], options)).map(({ status }) => status);
      expect(await statuses()).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await statuses({ cache: 'only-if-cached' })).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((await rejectionOf(model.predictMany(['a', 'bad'], { cache: 'only-if-cached' }))).code).toBe(
        'ERR_MODEL_NOT_CACHED',
      );
    },
  );

  test('rejects with its signal’s reason, and for what is no list of inputs', async () => {
    const model = giving(() => new Promise(() => {}));
    const controller = new AbortController();
    const asked = rejectionOf(model.settle(['a'], { signal: controller.signal }));
    controller.abort(new Error('enough'));
    expect((await asked).message).toBe('enough');
    expect((await rejectionOf(model.settle(anything('a')))).message).toMatch(/^inputs: /);
    expect(await model.settle([])).toEqual([]);
  });
});
