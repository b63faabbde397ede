// What stays when there is not room for all: hot keys, and what saves most for its bytes; and what one is told of it.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, open, type SetOptions } from 'zerohop';
import { anything, errorOf, openCache, spin, uniqueName } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const VALUE = new Uint8Array(500);
const MIB = 2 ** 20;

/** A request as a service makes it: what is not there is computed, and stored. Returns false if it was refused. */
function ask(cache: Cache, key: string, value = VALUE, options?: SetOptions): boolean {
  return cache.getCopy(key) !== undefined || cache.set(key, value, options);
}

const keysOf = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind} ${i}`);
const storedOf = (cache: Cache, keys: string[]) => keys.filter((key) => cache.has(key)).length;
const factsOf = (cache: Cache, key: string) => cache.entry(key)!;

/** More keys than there is room for, asked for in turn, and as many that come once. */
function churn(cache: Cache, hot: string[], requests: number): number {
  let refused = 0;
  for (let i = 0; i < requests; ++i) {
    if (!ask(cache, hot[i % hot.length]!)) refused++;
    if (!ask(cache, `once ${i}`)) refused++;
  }
  return refused;
}

describe('hot keys among many that come once', () => {
  test.each([
    [1, 300, {}],
    [8, 2400, {}],
    [1, 300, { admission: true }],
    [8, 2400, { policy: 'score' }],
    [8, 2400, { policy: 'score', aging: true }],
  ] as const)('stay in a cache of %i MB: %i of them, with %j', (mb, count, options) => {
    const cache = openCache({ maxBytes: `${mb}MB`, ...options });
    const hot = keysOf('hot', count);
    churn(cache, hot, 15 * count);
    const before = cache.stats();
    churn(cache, hot, 5 * count);
    const after = cache.stats();
    expect(storedOf(cache, hot)).toBeGreaterThan(count * 0.97);
    expect(after.hits - before.hits).toBeGreaterThan(5 * count * 0.97);
    expect(after.evictions).toBeGreaterThan(10 * count);
    expect(after.corrupted).toBe(0);
  });
});

describe('the cost of a value', () => {
  // Header and what stands before the value of an entry with a cost: 16 bytes each; then the key, to 8 bytes. Large
  // values begin and end at 64.
  const entryBytes = (keyBytes: number, valueBytes: number) =>
    valueBytes < 256 ? 32 + Math.ceil(keyBytes / 8) * 8 + valueBytes : 64 + valueBytes;

  test.each([
    ['learned', 500, 4096, 1, 64],
    ['learned', 3, 64, 70, 1000],
    ['learned', 0.5, 4096, 1000, 4096],
    ['score', 500, 4096, 1, 64],
    ['score', 3, 64, 70, 1000],
  ] as const)(
    'makes the worth, by the byte: policy %s, %d for %i bytes, %d for %i',
    (policy, cost1, bytes1, cost2, bytes2) => {
      const cache = openCache({ policy });
      cache.set('one', new Uint8Array(bytes1), { cost: cost1 });
      cache.set('two', new Uint8Array(bytes2), { cost: cost2 });
      const [one, two] = [factsOf(cache, 'one'), factsOf(cache, 'two')];
      expect([one.frequency, one.gap]).toEqual([two.frequency, two.gap]);
      const expected = cost1 / entryBytes(3, bytes1) / (cost2 / entryBytes(3, bytes2));
      expect(one.worth / two.worth / expected).toBeGreaterThan(0.9);
      expect(one.worth / two.worth / expected).toBeLessThan(1.1);
    },
  );

  test('is 1 by default: such an entry is worth as much as one that costs 1', () => {
    const cache = openCache();
    cache.set('one', new Uint8Array(1000), { cost: 1 });
    cache.set('two', new Uint8Array(1000));
    expect(factsOf(cache, 'two').worth / factsOf(cache, 'one').worth).toBeGreaterThan(0.9);
    expect(factsOf(cache, 'two').worth / factsOf(cache, 'one').worth).toBeLessThan(1.1);
  });

  // 500 for 4 160 bytes is as much a byte as 12 for 104.
  test.each([
    [1, 'dear'],
    [5, 'dear'],
    [30, 'cheap'],
    [100, 'cheap'],
  ])(
    'decides between 4 KiB that cost 500 and 64 bytes that cost %d, asked for as often: the %s stay',
    (cost, staying) => {
      const cache = openCache();
      const values = { dear: new Uint8Array(4096), cheap: new Uint8Array(64) };
      const keys = { dear: keysOf('dear', 600), cheap: keysOf('cheap', 24_000) };
      const all = keys.dear.length + keys.cheap.length;
      const random = randomFrom(7);
      for (let i = 0; i < 10 * all; ++i) {
        const drawn = Math.floor(random() * all);
        if (drawn < keys.dear.length) ask(cache, keys.dear[drawn]!, values.dear, { cost: 500 });
        else ask(cache, keys.cheap[drawn - keys.dear.length]!, values.cheap, { cost });
      }
      const share = (kind: 'dear' | 'cheap') => storedOf(cache, keys[kind]) / keys[kind].length;
      const other = staying === 'dear' ? 'cheap' : 'dear';
      expect(share(staying as 'dear' | 'cheap')).toBeGreaterThan(0.85);
      expect(share(other)).toBeLessThan(0.6);
    },
  );
});

describe('admission', () => {
  const HOT = keysOf('hot', 8000); // of which three quarters have room

  /** Full of keys that were asked for so often that one that comes once is worth less than nearly all of them. */
  function openFamous(): { cache: Cache; refused: number } {
    const cache = openCache({ policy: 'score' });
    let refused = 0;
    for (let round = 0; round < 25; ++round) for (const key of HOT) refused += ask(cache, key) ? 0 : 1;
    return { cache, refused };
  }

  test("of 'score' refuses what is worth less than what is there, and says so", () => {
    const { cache, refused: before } = openFamous();
    let refused = before;
    for (let i = 0; i < 5000; ++i) refused += ask(cache, `once ${i}`) ? 0 : 1;
    const { refusals, refusalsBy, sets, misses } = cache.stats();
    expect(refused - before).toBeGreaterThan(4000);
    expect(refusalsBy).toEqual({ pinned: 0, readers: 0, memory: 0, worth: refused });
    expect(refusals).toBe(refused);
    expect(sets + refused).toBe(misses);
  });

  test('leaves nothing under a key that was refused; asked for more often, it is admitted', () => {
    const { cache } = openFamous();
    let i = 0;
    while (cache.set(`new ${i}`, VALUE)) if (++i > 1000) throw new Error('nothing is refused');
    const key = `new ${i}`;
    expect([cache.has(key), cache.get(key), cache.entry(key)]).toEqual([false, undefined, undefined]);
    let tries = 1;
    while (!cache.set(key, VALUE)) if (++tries > 1000) throw new Error('it is never admitted');
    expect(cache.has(key)).toBe(true);
  });

  test('knows costs: of keys never seen before, the expensive one is admitted', () => {
    const { cache } = openFamous();
    expect(cache.set('cheap', VALUE, { cost: 0.01 })).toBe(false);
    expect(cache.set('dear', VALUE, { cost: 1000 })).toBe(true);
  });

  test.each(['score', 'learned'] as const)("of '%s' never refuses to overwrite what is stored", (policy) => {
    const cache = openCache({ policy, admission: true });
    churn(cache, HOT, 30_000);
    const { worth: before } = cache.stats().refusalsBy;
    let overwritten = 0;
    for (const key of [...cache.keys()]) {
      if (!cache.has(key)) continue; // went meanwhile
      expect(cache.set(key, VALUE)).toBe(true);
      overwritten++;
    }
    expect(overwritten).toBeGreaterThan(1000);
    expect(cache.stats().refusalsBy.worth).toBe(before);
  });

  test("is off with 'learned', and with 'score' where it is not wanted: nothing is refused", () => {
    for (const options of [{}, { policy: 'learned' }, { policy: 'score', admission: false }] as const) {
      const cache = openCache(options);
      expect(churn(cache, HOT, 30_000)).toBe(0);
      expect(cache.stats()).toMatchObject({ refusals: 0, refusalsBy: { worth: 0 } });
      expect(cache.stats().evictions).toBeGreaterThan(10_000);
    }
  });

  test("works with 'learned'", () => {
    const cache = openCache({ admission: true });
    const refused = churn(cache, keysOf('hot', 2000), 60_000);
    const { refusals, refusalsBy, evictions } = cache.stats();
    expect(refusalsBy.worth).toBe(refused);
    expect(refusals).toBe(refused);
    expect(evictions).toBeGreaterThan(1000);
  });

  test('refuses nothing before the cache is full', () => {
    const cache = openCache({ policy: 'score', maxBytes: '64MB' });
    expect(churn(cache, HOT, 10_000)).toBe(0);
    expect(cache.stats()).toMatchObject({ evicting: false, refusals: 0 });
  });
});

describe('entries past their time', () => {
  test.each(['learned', 'score'] as const)("go before live ones, however often they were asked for: '%s'", (policy) => {
    const cache = openCache({ policy, admission: false });
    const live = keysOf('live', 2000);
    const expiring = keysOf('expiring', 2000);
    for (const key of live) cache.set(key, VALUE);
    for (const key of expiring) cache.set(key, VALUE, { ttl: '1h' });
    for (let round = 0; round < 4; ++round) {
      for (const key of expiring) cache.getCopy(key);
      if (round % 2 === 0) for (const key of live) cache.getCopy(key);
    }
    for (const key of expiring) cache.touch(key, { ttl: 1 });
    spin(5);
    for (let i = 0; cache.stats().expired < expiring.length / 2; ++i) {
      if (i > 20_000) throw new Error('they stay');
      cache.set(`new ${i}`, VALUE);
    }
    expect(storedOf(cache, live)).toBe(live.length);
    expect(cache.stats().evictions).toBe(0);
  });
});

describe('entry(key) and stats() tell', () => {
  test('frequency and gap of an entry as it is asked for', () => {
    const cache = openCache();
    const others = keysOf('other', 6000);
    for (const key of others) cache.set(key, VALUE);
    cache.set('k', VALUE);
    // The sketch may count too many, where keys collide, and halves its counts now and then.
    expect(factsOf(cache, 'k').frequency).toBeLessThanOrEqual(2);
    expect(factsOf(cache, 'k').gap).toBe(0);
    const seen: number[] = [];
    for (let round = 0; round < 20; ++round) {
      for (let i = 0; i < others.length / 2; ++i) ask(cache, others[(round * 3000 + i) % others.length]!);
      cache.getCopy('k');
      const { frequency, gap } = factsOf(cache, 'k');
      expect(gap).toBeGreaterThan(1 / 16); // half of the capacity, at a guess
      expect(gap).toBeLessThanOrEqual(4);
      seen.push(frequency);
    }
    expect(seen[0]).toBeLessThanOrEqual(3);
    expect(Math.max(...seen)).toBeGreaterThanOrEqual(8);
    expect([1, 2, 3, 5, 8, 12]).toEqual(expect.arrayContaining([...new Set(seen)]));
  });

  test('that a hot key is worth more than the threshold, and more than a key that came once', () => {
    const cache = openCache();
    const hot = keysOf('hot', 1000);
    expect(cache.stats().policy.threshold).toBe(0);
    churn(cache, hot, 20_000);
    const hotFacts = factsOf(cache, hot[999]!);
    const onceFacts = factsOf(cache, 'once 19999');
    expect(hotFacts.threshold).toBe(cache.stats().policy.threshold);
    expect(hotFacts.worth).toBeGreaterThan(hotFacts.threshold);
    expect(hotFacts.worth).toBeGreaterThan(onceFacts.worth * 2);
    expect(hotFacts.frequency).toBeGreaterThanOrEqual(8);
    expect(onceFacts.gap).toBe(0);
    expect(onceFacts.frequency).toBeLessThan(hotFacts.frequency);
  });

  test.each([1, 4, 16])('what the policy goes by, in a cache of %i MB', (mb) => {
    const cache = openCache({ maxBytes: `${mb}MB` });
    churn(cache, keysOf('hot', 300 * mb), 10_000 * mb);
    const { policy, entries, copiedForward, copiedPerStored, evicting } = cache.stats();
    expect(evicting).toBe(true);
    expect(policy.threshold).toBeGreaterThan(0);
    expect(policy.capacity / entries).toBeGreaterThan(0.8);
    expect(policy.capacity / entries).toBeLessThan(1.2);
    expect(policy.tickRequests).toBe(Math.floor(policy.capacity / 32));
    expect(policy.bytes).toBeGreaterThan(0);
    expect(policy.bytes).toBeLessThanOrEqual((mb * MIB) / 16);
    expect(copiedForward > 0).toBe(copiedPerStored > 0);
    expect(copiedPerStored).toBeLessThan(2);
  });
});

describe('eviction(key) tells why a key is not there', () => {
  test('by undefined, of a key that never was, is there, was deleted or cleared, or was in another keyspace', () => {
    const cache = openCache();
    const other = cache.keyspace('other', { codec: bytes });
    cache.set('k', VALUE);
    expect(cache.eviction('k')).toBeUndefined();
    cache.delete('k');
    expect(cache.eviction('k')).toBeUndefined();
    expect(cache.eviction('never')).toBeUndefined();
    churn(cache, keysOf('hot', 1000), 20_000);
    const gone = keysOf('once', 20_000).filter((key) => cache.eviction(key) !== undefined);
    expect(gone.length).toBeGreaterThan(32);
    expect(gone.filter((key) => other.eviction(key) !== undefined)).toEqual([]);
    cache.clear();
    expect(gone.filter((key) => cache.eviction(key) !== undefined)).toEqual([]);
  });

  test.each(['learned', 'score'] as const)("'%s': its segment was emptied, and it was worth too little", (policy) => {
    const cache = openCache({ policy, admission: false, maxBytes: '4MB' });
    const hot = keysOf('hot', 1000);
    churn(cache, hot, 40_000);
    const gone = keysOf('once', 40_000)
      .map((key) => cache.eviction(key))
      .filter((told) => told !== undefined);
    expect(gone.length).toBeGreaterThan(128);
    for (const { reason, frequency, gap, idle, worth, threshold } of gone) {
      expect(reason).toBe('capacity');
      expect(worth).toBeLessThanOrEqual(threshold);
      expect(worth).toBeGreaterThan(0);
      expect(frequency).toBeGreaterThanOrEqual(1);
      expect(gap).toBe(0); // it came once
      expect(idle).toBeGreaterThanOrEqual(0);
      expect(idle * 32).toBe(Math.round(idle * 32));
      expect(idle).toBeLessThan(32);
    }
    const { worth, idle } = factsOf(cache, hot[999]!);
    expect(worth).toBeGreaterThan(Math.max(...gone.map((told) => told.worth)));
    expect(idle).toBeLessThan(Math.max(...gone.map((told) => told.idle)));
  });

  test('maxEntries: others of a sample were worth more', () => {
    const cache = openCache({ maxBytes: '8MB', maxEntries: 500 });
    churn(cache, keysOf('hot', 300), 10_000);
    const gone = keysOf('once', 10_000)
      .map((key) => cache.eviction(key))
      .filter((told) => told !== undefined);
    expect(gone.length).toBeGreaterThan(100);
    for (const { reason, worth, threshold } of gone) {
      expect(reason).toBe('maxEntries');
      expect(worth).toBeLessThanOrEqual(threshold);
    }
  });

  test('admission refused it, until it came often enough', () => {
    const cache = openCache({ admission: true, maxBytes: '4MB' });
    churn(cache, keysOf('hot', 2000), 60_000);
    let key = '';
    for (let i = 0; key === ''; ++i) if (!cache.set(`new ${i}`, VALUE)) key = `new ${i}`;
    const told = cache.eviction(key)!;
    expect(told).toMatchObject({ reason: 'worth', gap: 0, idle: 0 });
    expect(told.worth).toBeLessThan(told.threshold * 1.2);
    for (let i = 0; !cache.set(key, VALUE); ++i) {
      if (i > 10_000) throw new Error('it never gets in');
      churn(cache, [`hot ${i % 2000}`], 1);
    }
    expect(cache.eviction(key)!.reason).toBe('worth'); // the last time
  });
});

describe('an option of the policy', () => {
  test("is accepted as 'aging' only with 'score'", () => {
    for (const options of [{ aging: true }, { aging: true, policy: 'learned' }] as const) {
      const error = errorOf(() => open({ maxBytes: '1MB', ...options }));
      expect([error.name, error.message]).toEqual(['RangeError', expect.stringMatching(/^options\.aging: expected /)]);
    }
    openCache({ aging: false });
    openCache({ aging: true, policy: 'score' });
  });

  test.each(['second-chance', 'lru', '', 'Learned'])('that is no policy is a TypeError: %j', (policy) => {
    const error = errorOf(() => open({ maxBytes: '1MB', policy: anything(policy) }));
    expect([error.name, error.message]).toEqual(['TypeError', expect.stringMatching(/^options\.policy: expected /)]);
  });

  test.each([
    ['policy', 1],
    ['policy', null],
    ['policy', ['learned']],
    ['aging', 'yes'],
    ['aging', 1],
    ['aging', null],
    ['admission', 0],
    ['admission', 'true'],
    ['admission', {}],
  ])('of the wrong type is a TypeError: %s, %j', (option, value) => {
    const error = errorOf(() => open({ maxBytes: '1MB', policy: 'score', [option]: anything(value) }));
    expect([error.name, error.message]).toEqual([
      'TypeError',
      expect.stringMatching(new RegExp(`^options\\.${option}: expected `)),
    ]);
  });

  test.each([
    [{}, { policy: 'score' }],
    [{ policy: 'score' }, {}],
    [{}, { admission: true }],
    [{ policy: 'score' }, { policy: 'score', admission: false }],
    [{ policy: 'score' }, { policy: 'score', aging: true }],
  ] as const)('must be the same for all who open a name: %j, and then %j, is refused', (first, second) => {
    const name = uniqueName();
    openCache({ name, ...first });
    expect(errorOf(() => openCache({ name, ...second }))).toMatchObject({
      name: 'CacheError',
      code: 'ERR_CACHE_OPTIONS',
      message: expect.stringMatching(/is open with (policy|admission|aging) /),
    });
    openCache({ name, ...first });
  });

  test('is the same, whether it is given or left to its default', () => {
    const [learned, score] = [uniqueName(), uniqueName()];
    openCache({ name: learned });
    openCache({ name: learned, policy: 'learned', aging: false, admission: false });
    openCache({ name: score, policy: 'score' });
    openCache({ name: score, policy: 'score', aging: false, admission: true });
  });
});
