// Tags: all entries that were stored with a name, forgotten by it.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, utf8 } from 'zerohop';
import { native } from '../../dist/addon/native.js';
import { anything, errorOf, makeNear, openCache, textOf, utf8Of } from '../fixtures/opened.js';

const VALUE = utf8Of('value');
const KIB = 1024;

/** Which of the keys "0", "1", … are stored. */
const present = (space: { has(key: string): boolean }, count: number) =>
  Array.from({ length: count }, (_, i) => i).filter((i) => space.has(`${i}`));

describe('deleteByTag', () => {
  test('forgets exactly the entries that carry the tag, and counts them', () => {
    const cache = openCache();
    for (let i = 0; i < 1000; ++i) cache.set(`${i}`, VALUE, { tags: [`of ${i % 10}`, i < 100 ? 'low' : 'high'] });
    cache.set('untagged', VALUE);
    expect(cache.deleteByTag('of 3')).toBe(100);
    expect(present(cache, 1000)).toHaveLength(900);
    expect(present(cache, 1000).some((i) => i % 10 === 3)).toBe(false);
    expect(cache.deleteByTag('low')).toBe(90);
    expect(present(cache, 100)).toEqual([]);
    expect(cache.has('untagged')).toBe(true);
    expect(cache.stats()).toMatchObject({ entries: 811, deletes: 190, evictions: 0 });
    expect(cache.deleteByTag('high')).toBe(810);
    expect(cache.stats().entries).toBe(1);
  });

  test('again, or of a tag that nobody used, is 0', () => {
    const cache = openCache();
    cache.set('k', VALUE, { tags: ['t'] });
    expect([cache.deleteByTag('t'), cache.deleteByTag('t'), cache.deleteByTag('never')]).toEqual([1, 0, 0]);
    cache.set('k', VALUE, { tags: ['t'] });
    expect(cache.deleteByTag('t')).toBe(1);
  });

  test('counts an entry once that was stored often, or with the tag given twice', () => {
    const cache = openCache();
    for (let i = 0; i < 500; ++i) cache.set('k', VALUE, { tags: ['t', 't', 'u'] });
    cache.set('l', VALUE, { tags: ['t'] });
    expect(cache.deleteByTag('t')).toBe(2);
    expect(cache.deleteByTag('u')).toBe(0);
  });

  test('leaves what was overwritten without the tag, or with another one', () => {
    const cache = openCache();
    for (const key of ['none', 'other', 'ttl', 'same']) cache.set(key, VALUE, { tags: ['t'] });
    cache.set('none', VALUE);
    cache.set('other', VALUE, { tags: ['u'] });
    cache.set('ttl', VALUE, { ttl: '1h' });
    cache.set('same', VALUE, { tags: ['u', 't'] });
    expect(cache.deleteByTag('t')).toBe(1);
    expect(['none', 'other', 'ttl', 'same'].map((key) => cache.has(key))).toEqual([true, true, true, false]);
    expect(cache.deleteByTag('u')).toBe(1);
  });

  test('leaves what was deleted and stored again without the tag', () => {
    const cache = openCache();
    cache.set('k', VALUE, { tags: ['t'] });
    cache.delete('k');
    cache.set('k', VALUE);
    expect(cache.deleteByTag('t')).toBe(0);
    expect(cache.has('k')).toBe(true);
  });

  test('is of one keyspace: the same tag in another is another', () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: bytes, scope: 'b' });
    for (const space of [cache, a, b]) space.set('k', VALUE, { tags: ['t'] });
    expect(a.deleteByTag('t')).toBe(1);
    expect([cache, a, b].map((space) => space.has('k'))).toEqual([true, false, true]);
    expect(cache.deleteByTag('t')).toBe(1);
    expect([cache, a, b].map((space) => space.has('k'))).toEqual([false, false, true]);
    expect([a.stats().deletes, b.stats().deletes, cache.stats().deletes]).toEqual([1, 0, 2]);
  });

  test('knows nothing of what was cleared', () => {
    const cache = openCache();
    const space = cache.keyspace('a', { codec: bytes });
    space.set('k', VALUE, { tags: ['t'] });
    space.clear();
    space.set('new', VALUE, { tags: ['t'] });
    expect(space.deleteByTag('t')).toBe(1);
    cache.set('k', VALUE, { tags: ['t'] });
    cache.clear();
    expect(cache.deleteByTag('t')).toBe(0);
  });

  test('leaves views as they are, and is seen at once by answers of the near cache', async () => {
    const texts = openCache().keyspace('texts', { codec: utf8 });
    texts.set('k', 'text', { tags: ['t'] });
    await makeNear(texts, 'k');
    expect(texts.deleteByTag('t')).toBe(1);
    expect(texts.get('k')).toBeUndefined();
    const cache = openCache();
    cache.set('k', VALUE, { tags: ['t'] });
    const view = cache.get('k');
    cache.deleteByTag('t');
    cache.set('k', utf8Of('other'));
    expect(textOf(view)).toBe('value');
  });
});

describe('tags of an entry', () => {
  test('are up to 16, each of which forgets it', () => {
    const cache = openCache();
    const tags = Array.from({ length: 16 }, (_, i) => `${'t'.repeat(253)}${i < 10 ? ' ' : ''}${i}`);
    for (const tag of tags) {
      cache.set('k', VALUE, { tags, ttl: '1h', cost: 3 });
      expect(cache.entry('k')).toMatchObject({ cost: 3, size: 5 });
      expect(cache.deleteByTag(tag)).toBe(1);
      expect(cache.has('k')).toBe(false);
    }
  });

  test.each(['\0', ' ', '🦊', '\u00e9', 'e\u0301', '__proto__', 'x'.repeat(255), 'é'.repeat(127)])(
    'may be any text (%#)',
    (tag) => {
      const cache = openCache();
      cache.set('k', VALUE, { tags: [tag] });
      cache.set('other', VALUE, { tags: [`${tag.slice(0, 100)}-`] });
      expect(cache.deleteByTag(tag)).toBe(1);
      expect(cache.has('other')).toBe(true);
    },
  );

  test.each([
    [Array.from({ length: 17 }, (_, i) => `${i}`), 'RangeError', /^options\.tags\.length: expected at most 16/],
    [['x'.repeat(256)], 'RangeError', /^options\.tags\[0\]: /],
    [['fine', ''], 'RangeError', /^options\.tags\[1\]: /],
    [['\uD800'], 'RangeError', /^options\.tags\[0\]: /],
    [[5], 'TypeError', /^options\.tags\[0\]: expected a string, received number 5/],
    [[undefined], 'TypeError', /^options\.tags\[0\]: /],
    ['t', 'TypeError', /^options\.tags: expected an array of strings/],
    [new Set(['t']), 'TypeError', /^options\.tags: /],
    [null, 'TypeError', /^options\.tags: /],
  ])('that cannot be tags are refused, and nothing is stored (%#)', (tags, kind, message) => {
    const cache = openCache();
    cache.set('k', utf8Of('old'), { tags: ['t'] });
    const error = errorOf(() => cache.set('k', VALUE, { tags: anything(tags) }));
    expect(error.name).toBe(kind);
    expect(error.message).toMatch(message);
    expect(textOf(cache.get('k'))).toBe('old');
    expect(cache.stats()).toMatchObject({ sets: 1, entries: 1 });
    expect(cache.deleteByTag('t')).toBe(1);
  });

  test('of every size of key and value, small and of many segments, are found', () => {
    const cache = openCache({ maxBytes: '16MB' });
    const sizes = [0, 1, 255, 256, 5000, 70_000, 1_500_000];
    for (const size of sizes) {
      for (const length of [1, 7, 8, 300]) {
        cache.set(`${size} `.padEnd(length + 8, 'k'), new Uint8Array(size), { tags: ['t', `${length}`] });
      }
    }
    const { entries } = cache.stats();
    expect(cache.deleteByTag('300')).toBe(sizes.length);
    expect(cache.deleteByTag('t')).toBe(entries - sizes.length);
    expect(cache.stats().entries).toBe(0);
  });
});

describe('tags, where entries come and go', () => {
  /** Fills the cache over and over, while the first keys are asked for so often that they are copied forward. */
  function churn(cache: Cache, hot: number, sets: number): void {
    const value = new Uint8Array(1000);
    for (let i = 0; i < sets; ++i) {
      cache.set(`filler ${i}`, value, { tags: ['filler'] });
      cache.peek(`${i % hot}`);
      cache.getCopy(`${(i * 7) % hot}`);
    }
  }

  test('move with their entries, and go with those that are evicted', () => {
    const cache = openCache({ maxBytes: '1MB' });
    const hot = 150;
    for (let i = 0; i < hot; ++i) cache.set(`${i}`, new Uint8Array(1000), { tags: ['hot', `parity ${i % 2}`] });
    // Where a view of theirs is not collected for long, they stay where they are for as long.
    for (let round = 0; round < 10 && cache.stats().copiedForward <= hot / 3; ++round) churn(cache, hot, 8000);
    const { copiedForward, evictions } = cache.stats();
    expect(copiedForward).toBeGreaterThan(hot / 3);
    expect(evictions).toBeGreaterThan(3000);
    const still = present(cache, hot);
    expect(still.length).toBeGreaterThan(hot / 2);
    const even = still.filter((i) => i % 2 === 0);
    expect(cache.deleteByTag('parity 0')).toBe(even.length);
    expect(present(cache, hot)).toEqual(still.filter((i) => i % 2 === 1));
    expect(cache.deleteByTag('hot')).toBe(still.length - even.length);
    const { entries } = cache.stats();
    expect(cache.deleteByTag('filler')).toBe(entries);
    expect(cache.stats()).toMatchObject({ entries: 0, corrupted: 0 });
  });

  test('of entries that were in the same place before are not mistaken for theirs', () => {
    const cache = openCache({ maxBytes: '1MB' });
    for (let round = 0; round < 40; ++round) {
      const tagged = new Set<number>();
      for (let i = 0; i < 400; ++i) {
        const tags = (i + round) % 3 === 0 ? ['t'] : (i + round) % 3 === 1 ? ['u'] : [];
        if (tags[0] === 't') tagged.add(i);
        cache.set(`${i}`, new Uint8Array(1500), { tags });
      }
      const before = present(cache, 400);
      const doomed = before.filter((i) => tagged.has(i));
      expect(cache.deleteByTag('t')).toBe(doomed.length);
      expect(present(cache, 400)).toEqual(before.filter((i) => !tagged.has(i)));
    }
  });

  test('that are few take no more memory than the entries there are, after 100 000 sets', () => {
    const cache = openCache({ maxBytes: '4MB' });
    for (let i = 0; i < 1000; ++i) cache.set(`${i}`, VALUE, { tags: [`${i % 5}`] });
    const before = cache.stats().bytes.index;
    for (let i = 0; i < 100_000; ++i) cache.set(`${i % 1000}`, VALUE, { tags: [`${i % 5}`] });
    expect(cache.stats().bytes.index).toBeLessThan(before + 64 * KIB);
    expect(cache.stats().entries).toBe(1000);
    expect([0, 1, 2, 3, 4].map((tag) => cache.deleteByTag(`${tag}`))).toEqual([200, 200, 200, 200, 200]);
  });

  test('never take more than maxBytes, nor all entries at once, with sixteen new ones for each set', () => {
    for (const [maxBytes, valueBytes] of [
      [2 ** 20, 100],
      [2 ** 22, 1000],
    ] as const) {
      const cache = openCache({ maxBytes });
      const value = new Uint8Array(valueBytes);
      const counts: number[] = [];
      for (let i = 0; i < 12_000; ++i) {
        const tags = Array.from({ length: 16 }, (_, tag) => `tag-${i}-${tag}`);
        expect(cache.set(`${i % 8000}`, value, { tags })).toBe(true);
        if (i % 50 !== 0) continue;
        const { bytes: sizes, entries } = cache.stats();
        expect(sizes.live + sizes.retired + sizes.index).toBeLessThanOrEqual(maxBytes);
        expect(sizes.resident + sizes.index).toBeLessThanOrEqual(maxBytes);
        if (i > 6000) counts.push(entries);
      }
      // A segment holds hundreds of these entries, so an eviction takes many of them at a time.
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      expect(mean).toBeGreaterThan(maxBytes / 3 / (valueBytes + 1000));
      expect(Math.min(...counts)).toBeGreaterThan(0);
    }
  });

  test.each<[string, (cache: Cache, i: number) => void]>([
    ['one key is set', (cache, i) => cache.set('k', VALUE, { tags: [`tag ${i}`] })],
    ['keys are evicted', (cache, i) => cache.set(`${i}`, new Uint8Array(3000), { tags: [`tag ${i}`] })],
    [
      'keys are deleted',
      (cache, i) => {
        cache.set(`${i}`, VALUE, { tags: [`tag ${i}`] });
        cache.delete(`${i}`);
      },
    ],
    ['it is used and deleted', (cache, i) => cache.set('k', VALUE, { tags: [`${i}`] }) && cache.deleteByTag(`${i}`)],
  ])('a tag for each set does not use the cache up, where %s', (_, store) => {
    const cache = openCache({ maxBytes: '4MB' });
    for (let i = 0; i < 60_000; ++i) store(cache, i);
    native.maintain();
    const { bytes: sizes, refusals } = cache.stats();
    expect(refusals).toBe(0);
    expect(sizes.index).toBeLessThan(700 * KIB); // some 1 400 entries of 3 000 bytes, each with a tag, at the most
    for (let i = 0; i < 500; ++i) expect(cache.set(`after ${i}`, new Uint8Array(1000))).toBe(true);
    expect(Array.from({ length: 500 }, (_, i) => cache.has(`after ${i}`))).toEqual(new Array(500).fill(true));
  });
});
