// Options are members of the object that is given, and of nothing else; each is read once.
import { describe, expect, test } from 'vitest';
import { open, PUBLIC, utf8 } from 'zerohop';
import { optionsObject } from '../../dist/base/options.js';
import { answer } from '../fixtures/child.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const KNOWN = ['ttl', 'tags'];

test('no function takes an option from Object.prototype', async () => {
  const { calls, found } = await answer('polluted.mjs');
  expect(found).toEqual([]);
  expect(calls).toBeGreaterThan(25);
});

describe('options are', () => {
  test('the members of a plain object, of one without a prototype, and of one of a class', () => {
    class Chosen {
      ttl = 5;
    }
    const bare = Object.assign(Object.create(null), { ttl: 5 });
    for (const value of [{ ttl: 5 }, bare, new Chosen()])
      expect({ ...optionsObject('options', value, KNOWN) }).toEqual({ ttl: 5 });
  });

  test('none where undefined is given, or an empty object', () => {
    for (const value of [undefined, {}, Object.create(null)]) {
      const options = optionsObject('options', value, KNOWN);
      expect([options['ttl'], options['toString']]).toEqual([undefined, undefined]);
    }
  });

  test('each read once, getters and proxies too', () => {
    const reads: string[] = [];
    const getter = {
      get ttl() {
        reads.push('getter');
        return reads.length;
      },
    };
    const proxy = new Proxy(
      { ttl: 7 },
      {
        get(target, name) {
          reads.push(`proxy ${String(name)}`);
          return target[name as 'ttl'];
        },
      },
    );
    for (const value of [getter, proxy]) {
      const options = optionsObject('options', value, KNOWN);
      expect(options['ttl']).toBe(options['ttl']);
    }
    expect(reads).toEqual(['getter', 'proxy ttl']);
  });

  test('read once by a model, which asks for its scope in many places', () => {
    let reads = 0;
    const options = {
      name: 'm',
      version: '1',
      codec: utf8,
      run: (inputs: string[]) => inputs,
      get scope() {
        return ++reads === 1 ? 'tenant' : PUBLIC;
      },
    };
    const model = openCache().model(options);
    expect([reads, model.scope]).toEqual([1, 'tenant']);
  });
});

describe('refused as options is', () => {
  test.each([
    ['a promise of them', Promise.resolve({ ttl: 5 }), 'Promise'],
    ['a Map', new Map([['ttl', 5]]), 'Map'],
    ['a Date', new Date(), 'Date'],
    ['a Uint8Array', new Uint8Array(0), 'Uint8Array'],
  ])('%s, which has no members that are options', (_, value, name) => {
    const error = errorOf(() => optionsObject('options', value, KNOWN));
    expect([error.name, error.message]).toEqual([
      'TypeError',
      `options: expected a plain object, received an instance of ${name}`,
    ]);
  });

  test('an object whose class has the option, because it would silently be left out', () => {
    class Getters {
      maxBytes = '1MB';
      get name() {
        return 'shared';
      }
    }
    const inherited = Object.assign(Object.create({ ttl: 5 }), { tags: [] });
    expect(errorOf(() => optionsObject('options', inherited, KNOWN)).message).toMatch(
      /^options\.ttl: expected a member of the object itself, not of its class/,
    );
    expect(errorOf(() => open(anything(new Getters()))).message).toMatch(/^options\.name: expected a member of/);
  });
});
