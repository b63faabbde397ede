// Run by a vitest of its own (test/loading/evaluations.test.ts): in its VM pools each file is a realm, over one addon.
import { afterEach, expect, test, vi } from 'vitest';
import { CacheError, float32, open, PUBLIC, utf8 } from 'zerohop';

export function cases() {
  afterEach(() => vi.useRealTimers());

  test('values and errors are its own', () => {
    const cache = open({ maxBytes: 2 ** 22 });
    const vectors = cache.keyspace('vectors', { codec: float32(3) });
    for (let i = 0; i < 50; ++i) vectors.set(`${i}`, Float32Array.of(i, 1, 2));
    for (let i = 0; i < 50; ++i) expect([...vectors.get(`${i}`)]).toEqual([i, 1, 2]);
    expect(() => vectors.get('\ud800')).toThrow(TypeError);
    expect(() => vectors.get('')).toThrow(RangeError);
    cache.close();
    expect(() => vectors.get('k')).toThrow(CacheError);
  });

  test('a missed predict resolves with fake timers', async () => {
    // Of process.nextTick vitest's own processes allow none.
    vi.useFakeTimers({
      toFake: ['queueMicrotask', 'setTimeout', 'setImmediate', 'setInterval', 'performance', 'Date'],
    });
    const cache = open({ maxBytes: 2 ** 21 });
    const terms = { name: 'm', version: '1', scope: PUBLIC, codec: utf8, run: (texts) => texts };
    expect(await cache.model(terms).predict('a')).toBe('a');
    expect(await cache.model({ ...terms, version: '2', batchWindow: 5 }).predict('a')).toBe('a');
    cache.close();
  });
}
