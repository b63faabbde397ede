// keyv 6 over a keyspace, by its bridge for the adapters of 5; it writes namespaces before its keys by itself.
import { Keyv } from 'keyv6';
import { describe, expect, test } from 'vitest';
import { utf8 } from 'zerohop';
import { keyvStore } from 'zerohop/keyv';
import { anything, openCache } from '../fixtures/opened.js';

const spaceOf = () => openCache().keyspace('keyv', { codec: utf8 });

async function entriesOf(keyv: Keyv): Promise<[string, unknown][]> {
  const entries: [string, unknown][] = [];
  for await (const [key, value] of keyv.iterator()) entries.push([key as string, value]);
  return entries.sort();
}

describe('a Keyv of version 6', () => {
  test('keeps values, falsy ones too, and tells them from none', async () => {
    const keyv = new Keyv({ store: keyvStore(spaceOf()), namespace: 'web' });
    for (const value of [0, '', false, [], { a: 1 }]) {
      expect(await keyv.set('k', value)).toBe(true);
      expect(await keyv.get('k')).toEqual(value);
      expect(await keyv.getMany(['k', 'none'])).toEqual([value, undefined]);
    }
    expect([await keyv.has('k'), await keyv.delete('k'), await keyv.has('k')]).toEqual([true, true, false]);
  });

  test('lets the cache end its entries too', async () => {
    const space = spaceOf();
    const keyv = new Keyv({ store: keyvStore(space), namespace: 'web', ttl: 60_000 });
    await keyv.set('k', 1);
    expect(space.entry('web::k')!.ttl).toBeGreaterThan(50_000);
    expect(space.entry('web::k')!.ttl).toBeLessThanOrEqual(60_000);
  });

  test.each([{}, { useKeyPrefix: false }])(
    'with %j on a store that two share clears and iterates over its own',
    async (over) => {
      const store = keyvStore(spaceOf());
      const [a, b] = ['a', 'b'].map((namespace) => new Keyv(anything({ store, namespace, ...over }))) as [Keyv, Keyv];
      const failures: unknown[] = [];
      for (const keyv of [a, b]) keyv.on('error', (error) => failures.push(error));
      await a.set('x', 'of a');
      await b.set('x', 'of b');
      await b.set('a:x', 'of b, too');
      expect(await entriesOf(a)).toEqual([['x', 'of a']]);
      await a.clear();
      expect([await a.get('x'), await b.get('x'), await b.get('a:x')]).toEqual([undefined, 'of b', 'of b, too']);
      expect(await entriesOf(b)).toEqual([
        ['a:x', 'of b, too'],
        ['x', 'of b'],
      ]);
      expect(failures).toEqual([]);
    },
  );
});
