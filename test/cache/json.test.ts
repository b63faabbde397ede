// The codec json gives back exactly what was set, and refuses the rest: a hit never differs from what was stored.
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { json } from 'zerohop';
import { errorOf, openCache } from '../fixtures/opened.js';

const openSpace = (cache = openCache()) => cache.keyspace('space', { codec: json });

class Point {
  x = 1;
}
class Names extends Array {}

function circle(): unknown {
  const one: Record<string, unknown> = { two: {} };
  (one['two'] as Record<string, unknown>)['one'] = one;
  return one;
}

/** Text and kind of what `set` throws; nothing is stored then. */
function refusalOf(value: unknown): [string, string, string] {
  const space = openSpace();
  const { name, code, message } = errorOf(() => space.set('k', value));
  expect(space.has('k')).toBe(false);
  return [name, code, message];
}

describe('the codec json refuses, with a TypeError that names the path,', () => {
  test.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /^value: expected .* received undefined$/],
    ['a member that is undefined', { a: { b: undefined } }, /^value\.a\.b: .* or no such member, received undefined$/],
    ['a function', () => 1, /^value: .* received function$/],
    ['a member that is a function', { a: () => 1 }, /^value\.a: .* received function$/],
    ['a toJSON', { toJSON: () => 1 }, /^value\.toJSON: .* received function$/],
    ['a symbol', [Symbol('s')], /^value\[0\]: .* received symbol$/],
    ['a bigint', { n: [1, 2n] }, /^value\.n\[1\]: .* received bigint 2$/],
    ['NaN', { user: { score: Number.NaN } }, /^value\.user\.score: .* received number NaN$/],
    ['an infinity', [1, Number.NEGATIVE_INFINITY], /^value\[1\]: .* received number -Infinity$/],
    ['-0', { 'a b': -0 }, /^value\["a b"\]: .* finite numbers but -0/],
    ['a Date', { user: { created: new Date(0) } }, /^value\.user\.created: .* received an instance of Date$/],
    ['a Map', { a: new Map() }, /^value\.a: .* received an instance of Map$/],
    ['a Set', { a: new Set([1]) }, /^value\.a: .* received an instance of Set$/],
    ['a RegExp', /x/, /^value: .* received an instance of RegExp$/],
    ['an Error', { error: new Error('e') }, /^value\.error: .* received an instance of Error$/],
    ['an instance of a class', [new Point()], /^value\[0\]: .* received an instance of Point$/],
    ['an array of a class', Names.from([1]), /^value: .* received an instance of Names$/],
    ['a typed array', { v: Float32Array.of(1) }, /^value\.v: .* received an instance of Float32Array$/],
    ['a Buffer', Buffer.from('a'), /^value: .* received an instance of Buffer$/],
    ['a String object', { s: new String('a') }, /^value\.s: .* received an instance of String$/],
    ['a promise', Promise.resolve(1), /^value: .*; await it first, received an instance of Promise$/],
    // biome-ignore lint/suspicious/noThenProperty: it is the case
    ['a thenable', { answer: { then() {} } }, /^value\.answer\.then: .* received function$/],
    ['a promise of another realm', runInNewContext('({ a: Promise.resolve(1) })'), /^value\.a: .*await it first/],
    ['a Date of another realm', runInNewContext('[new Date()]'), /^value\[0\]: .* received an instance of Date$/],
    // biome-ignore lint/suspicious/noSparseArray: it is the case
    ['an array with a hole', [1, , 3], /^value\[1\]: .* received undefined$/],
    ['an array of 4 billion holes', new Array(2 ** 32 - 1), /^value\[0\]: .* received undefined$/],
    [
      'an array with other members',
      { match: 'abc'.match(/b/) },
      /^value\.match(\.\w+|\[\d\])?: expected an array with/,
    ],
    ['a member whose name is a symbol', { a: { [Symbol('s')]: 1 } }, /^value\.a: expected an object whose members/],
    [
      'an array with a member whose name is a symbol',
      { a: [Object.assign([1], { [Symbol('s')]: 1 })] },
      /^value\.a\[0\](\[0\])?: expected an array with elements only/,
    ],
    ['a circle', circle(), /^value….*: expected no circle, and at most 1000 levels/],
  ])('%s', (_, value, message) => {
    expect(refusalOf(value)).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE', expect.stringMatching(message)]);
  });

  test('a long name, of which the message shows little', () => {
    const [, , message] = refusalOf({ ['x'.repeat(5000)]: undefined });
    expect(message.length).toBeLessThan(300);
  });

  test('a toJSON that somebody put on Object.prototype', () => {
    const prototype = Object.prototype as { toJSON?: () => unknown };
    prototype.toJSON = () => 'polluted';
    try {
      expect(refusalOf({ a: 1 })[2]).toMatch(/^Array\.prototype\.toJSON: expected none/);
    } finally {
      delete prototype.toJSON;
    }
  });
});

describe('the codec json gives back', () => {
  test.each<[string, unknown]>([
    ['1 000 levels', JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`)],
    ['numbers to the last bit', [Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53 + 2, 0.1 + 0.2, 1e21, -1e-7, 0]],
    ['members called as those of Object.prototype', JSON.parse('{"constructor":1,"toString":null,"toJSON":2}')],
    ['a member called __proto__', JSON.parse('{"__proto__":{"a":[{"__proto__":1}]}}')],
    ['one object at two places', ((one) => ({ a: one, b: [one, one] }))({ c: 1 })],
    ['plain objects and arrays of another realm', runInNewContext('({ a: [1, { b: "c" }] })')],
    ['a frozen object', Object.freeze({ a: Object.freeze([1]) })],
  ])('%s', (_, value) => {
    const space = openSpace();
    space.set('k', value);
    expect(JSON.stringify(space.get('k'))).toBe(JSON.stringify(value));
    expect(space.get('k')).toEqual(value);
  });

  test('an object without a prototype as an ordinary one', () => {
    const space = openSpace();
    space.set('k', Object.assign(Object.create(null), { a: 1 }));
    expect(space.get('k')).toStrictEqual({ a: 1 });
  });

  test('what getters and proxies said when they were asked, once', () => {
    const space = openSpace();
    let reads = 0;
    const value = {
      get changing() {
        return ++reads === 1 ? 'first' : new Date();
      },
      list: new Proxy([1, 2], {
        get(target, name) {
          if (name === '0') reads++;
          return Reflect.get(target, name);
        },
      }),
    };
    space.set('k', value);
    expect([space.get('k'), reads]).toEqual([{ changing: 'first', list: [1, 2] }, 2]);
  });

  test('the old value after a getter threw, whose error comes through', () => {
    const space = openSpace();
    space.set('k', 'old');
    const mine = new Error('mine');
    const value = {
      get a(): never {
        throw mine;
      },
    };
    expect(errorOf(() => space.set('k', [value]))).toBe(mine);
    expect(space.get('k')).toBe('old');
  });

  test('what was set by a getter meanwhile; one may close the cache', () => {
    const cache = openCache();
    const space = openSpace(cache);
    space.set('outer', {
      get a() {
        return space.set('inner', 1) && space.get('inner');
      },
    });
    expect(space.getMany(['inner', 'outer'])).toEqual([1, { a: 1 }]);
    const closing = {
      get a() {
        cache.close();
        return 1;
      },
    };
    expect(errorOf(() => space.set('k', closing)).code).toBe('ERR_CACHE_CLOSED');
  });
});
