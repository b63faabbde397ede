// Run by Jest itself (test/loading/evaluations.test.ts): each file is a realm of its own, over one addon.
const zerohop = require('zerohop');

const bytesOf = (length, fill) => Buffer.alloc(length, fill);

test('evaluations by resetModules and isolateModules serve their own values', () => {
  const caches = [zerohop.open({ maxBytes: 2 ** 22 })];
  jest.resetModules();
  caches.push(require('zerohop').open({ maxBytes: 2 ** 22 }));
  jest.isolateModules(() => caches.push(require('zerohop').open({ maxBytes: 2 ** 22 })));
  expect(new Set(caches.map(({ constructor }) => constructor)).size).toBe(3);
  for (const [c, cache] of caches.entries()) for (let i = 0; i < 20; ++i) cache.set(`k${i}`, bytesOf(100 + c, i));
  for (let i = 0; i < 20; ++i)
    for (const [c, cache] of caches.entries()) expect([...cache.get(`k${i}`)]).toEqual([...bytesOf(100 + c, i)]);
  for (const cache of caches) cache.close();
});

test("mistakes are of the test's classes", () => {
  const cache = zerohop.open({ maxBytes: 2 ** 21 });
  expect(() => cache.get('\ud800')).toThrow(TypeError); // by native code
  expect(() => cache.get('')).toThrow(RangeError);
  expect(() => zerohop.open({ maxBytes: '1 banana' })).toThrow(TypeError); // by ours
  cache.close();
  expect(() => cache.get('k')).toThrow(zerohop.CacheError);
});

test("numbers of the test's realm go in and out", () => {
  const cache = zerohop.open({ maxBytes: 2 ** 21 });
  const vectors = cache.keyspace('vectors', { codec: zerohop.float32(3) });
  vectors.set('v', Float32Array.of(1, 2, 3));
  expect([...vectors.get('v')]).toEqual([1, 2, 3]);
  expect(vectors.getMany(['v', 'w']).map((v) => v?.length)).toEqual([3, undefined]);
  cache.close();
});

describe.each([['modern', {}], ['legacy', { legacyFakeTimers: true }]])('with fake timers, %s', (_, options) => {
  afterEach(() => jest.useRealTimers());

  test('a missed predict resolves', async () => {
    jest.useFakeTimers(options);
    const cache = zerohop.open({ maxBytes: 2 ** 21 });
    const terms = { name: 'm', scope: zerohop.PUBLIC, codec: zerohop.utf8 };
    const shout = cache.model({ ...terms, version: '1', run: (texts) => texts.map((text) => text.toUpperCase()) });
    expect(await shout.predict('a')).toBe('A');
    expect(await shout.predictMany(['a', 'b'])).toEqual(['A', 'B']);
    cache.close();
  });

  test('the library can be loaded', async () => {
    jest.useFakeTimers(options);
    jest.resetModules();
    const { open, utf8, PUBLIC } = require('zerohop');
    const cache = open({ maxBytes: 2 ** 21 });
    const model = cache.model({ name: 'm', version: '1', scope: PUBLIC, codec: utf8, batchWindow: 5, run: (t) => t });
    expect(await model.predict('a')).toBe('a');
    cache.close();
  });
});
