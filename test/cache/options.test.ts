// What each kind of option takes, and the words for what it does not. Their first parameter is the name that the
// message gives: here it is always `options.x`.
import { describe, expect, test } from 'vitest';
import {
  booleanOption,
  costOption,
  countOption,
  durationOption,
  limitOption,
  received,
  shareOption,
  sizeOption,
  tagOption,
  tagsOption,
  textOption,
} from '../../dist/base/options.js';
import { errorOf } from '../fixtures/opened.js';

const X = 'options.x';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const codes: Record<string, string> = { TypeError: 'ERR_INVALID_ARG_TYPE', RangeError: 'ERR_OUT_OF_RANGE' };

function expectRefusal(call: () => unknown, kind: string, message: RegExp): void {
  const error = errorOf(call);
  expect([error.name, error.code]).toEqual([kind, codes[kind]]);
  expect(error.message).toMatch(message);
}

const nonNumbers = [null, undefined, true, 5n, {}, [], [5], () => 5, Symbol('s'), new Number(5), '5', ''];

describe('a duration', () => {
  test.each([
    [1, 1],
    [1.9, 1],
    [250, 250],
    [3650 * DAY_MS, 3650 * DAY_MS],
    ['1ms', 1],
    ['250ms', 250],
    ['1.5ms', 1],
    ['30s', 30_000],
    ['0.5s', 500],
    ['10m', 600_000],
    ['1.5h', 1.5 * HOUR_MS],
    ['2d', 2 * DAY_MS],
    ['3650d', 3650 * DAY_MS],
    ['007s', 7000],
    ['  10 m ', 600_000],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('of %j is %d ms', (value, ms) => {
    expect(durationOption(X, value)).toBe(ms);
  });

  test.each([
    0,
    -0,
    -1,
    0.9,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    Number.MAX_VALUE,
    3650 * DAY_MS + 1,
    '0ms',
    '0.9ms',
    '0d',
    '3651d',
    `${'9'.repeat(400)}ms`,
  ])('of %j is a RangeError', (value) => {
    expectRefusal(
      () => durationOption(X, value),
      'RangeError',
      /^options\.x: expected 1 to 315360000000 ms, or Infinity, received (number|string) /,
    );
  });

  test.each([
    ...nonNumbers,
    '10',
    'ms',
    '10 minutes',
    '10M',
    '10S',
    '10MS',
    '-1s',
    '+1s',
    '1e3ms',
    '0x10s',
    '.5s',
    '5.s',
    '1h30m',
    '1,5h',
    '1w',
    '1y',
    'Infinity',
    'never',
    '10m\0',
    '１０m',
    'constructor',
  ])('of %o is a TypeError', (value) => {
    expectRefusal(
      () => durationOption(X, value),
      'TypeError',
      /^options\.x: expected a number of milliseconds or a duration such as '10m' \(units: ms, s, m, h, d\), received /,
    );
  });

  test('keeps to the bounds that are asked for', () => {
    expect([durationOption(X, 0, 0, 1000), durationOption(X, '1s', 0, 1000)]).toEqual([0, 1000]);
    expectRefusal(() => durationOption(X, '2s', 10, 1000), 'RangeError', /expected 10 to 1000 ms, or Infinity/);
    expectRefusal(() => durationOption(X, 9, 10, 1000), 'RangeError', /received number 9$/);
  });

  test('of very many blanks is refused without going through them again and again', () => {
    expectRefusal(() => durationOption(X, ' '.repeat(200_000)), 'TypeError', /received string/);
    expectRefusal(() => durationOption(X, `1${' '.repeat(200_000)}x`), 'TypeError', /received string/);
  });
});

describe('a share', () => {
  test.each([0, 0.1, 0.999, Number.MIN_VALUE, 1 - Number.EPSILON / 2])('of %d is one', (value) => {
    expect(shareOption(X, value)).toBe(value);
  });

  test.each([-0.1, 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('of %d is a RangeError', (value) => {
    expectRefusal(
      () => shareOption(X, value),
      'RangeError',
      /^options\.x: expected at least 0 and less than 1, received/,
    );
  });

  test.each([...nonNumbers, '10%'])('of %o is a TypeError', (value) => {
    expectRefusal(() => shareOption(X, value), 'TypeError', /^options\.x: expected a number, received /);
  });
});

describe('a count', () => {
  test.each([1, 2, 1000, 2 ** 40])('of %d is one', (value) => {
    expect(countOption(X, value, 1, 2 ** 40)).toBe(value);
  });

  test.each([0, -1, 1.5, 2 ** 40 + 1, Number.NaN, Number.POSITIVE_INFINITY])('of %d is a RangeError', (value) => {
    expectRefusal(
      () => countOption(X, value, 1, 2 ** 40),
      'RangeError',
      /^options\.x: expected a whole number from 1 to 1099511627776, received number /,
    );
  });

  test.each(nonNumbers)('of %o is a TypeError', (value) => {
    expectRefusal(() => countOption(X, value, 1, 10), 'TypeError', /^options\.x: expected a number, received /);
  });
});

test('a limit is a count, or Infinity: none', () => {
  expect([limitOption(X, 5, 1, 10), limitOption(X, Number.POSITIVE_INFINITY, 1, 10)]).toEqual([5, Infinity]);
  for (const value of [0, 11, 1.5, Number.NaN, Number.NEGATIVE_INFINITY])
    expectRefusal(
      () => limitOption(X, value, 1, 10),
      'RangeError',
      /^options\.x: expected a whole number from 1 to 10/,
    );
});

describe('a cost', () => {
  test.each([0, 0.5, 1e30])('of %d is one', (value) => {
    expect(costOption(X, value)).toBe(value);
  });

  test.each([-1, -Number.MIN_VALUE, Number.NaN, Number.POSITIVE_INFINITY])('of %d is a RangeError', (value) => {
    expectRefusal(
      () => costOption(X, value),
      'RangeError',
      /^options\.x: expected a finite number, 0 or more, received /,
    );
  });

  test.each(nonNumbers)('of %o is a TypeError', (value) => {
    expectRefusal(() => costOption(X, value), 'TypeError', /^options\.x: expected a number, received /);
  });
});

describe('a boolean', () => {
  test('is true or false, and nothing that counts as one', () => {
    expect([booleanOption(X, true), booleanOption(X, false)]).toEqual([true, false]);
    for (const value of [0, 1, '', 'true', null, undefined, {}, new Boolean(true)]) {
      expectRefusal(() => booleanOption(X, value), 'TypeError', /^options\.x: expected true or false, received /);
    }
  });
});

describe('tags', () => {
  test.each([
    ['none', [], []],
    ['one', ['a'], ['a']],
    ['some, in their order', ['b', 'a', 'c'], ['b', 'a', 'c']],
    ['repeated ones', ['a', 'b', 'a', 'a'], ['a', 'b']],
    ['ones that differ in normalisation', ['\u00e9', 'e\u0301'], ['\u00e9', 'e\u0301']],
    ['one of 255 bytes', [`${'é'.repeat(127)}x`], [`${'é'.repeat(127)}x`]],
    ['odd ones', ['\0', ' ', '🦊', '__proto__'], ['\0', ' ', '🦊', '__proto__']],
  ])('may be %s; each is kept once', (_, value, tags) => {
    expect(tagsOption(X, value)).toEqual(tags);
  });

  test('are at most 16 different ones', () => {
    const tags = Array.from({ length: 16 }, (_, i) => `tag ${i}`);
    expect(tagsOption(X, [...tags, ...tags])).toEqual(tags);
    expectRefusal(
      () => tagsOption(X, [...tags, 'another', 'more']),
      'RangeError',
      /^options\.x\.length: expected at most 16 different tags, received number 18$/,
    );
  });

  test.each([
    ['', /^options\.x\[1\]: expected well-formed Unicode of 1 to 255 bytes, received string ""$/],
    ['x'.repeat(256), /^options\.x\[1\]: expected well-formed Unicode of 1 to 255 bytes, received string "x{40}"$/],
    ['é'.repeat(128), /of 1 to 255 bytes/],
    ['a\uD800', /of 1 to 255 bytes, received string "a\\ud800"$/],
  ])('of too few or too many bytes are a RangeError that says which one (%#)', (tag, message) => {
    expectRefusal(() => tagsOption(X, ['fine', tag]), 'RangeError', message);
  });

  test.each([5, null, undefined, ['a'], new String('a'), Symbol('s')])(
    'that are no strings are a TypeError: %o',
    (tag) => {
      expectRefusal(() => tagsOption(X, [tag]), 'TypeError', /^options\.x\[0\]: expected a string, received /);
    },
  );

  test('of an array with a hole are a TypeError, however long it is', () => {
    expectRefusal(() => tagsOption(X, new Array(2 ** 32 - 1)), 'TypeError', /^options\.x\[0\]: expected a string/);
  });

  test.each(['a', new Set(['a']), { length: 1, 0: 'a' }, null, undefined, 5])(
    'that are no array are a TypeError: %o',
    (value) => {
      expectRefusal(() => tagsOption(X, value), 'TypeError', /^options\.x: expected an array of strings, received /);
    },
  );

  test('are each read once, so that what was judged is what is kept', () => {
    let reads = 0;
    const value = Object.defineProperty(['a', 'b'], 1, { get: () => (++reads === 1 ? 'once' : 5) });
    expect(tagsOption(X, value)).toEqual(['a', 'once']);
    expect(reads).toBe(1);
    const growing: unknown[] = Object.defineProperty(['a', 'b'], 0, {
      get() {
        growing.push(5);
        return 'a';
      },
    });
    expect(tagsOption(X, growing)).toEqual(['a', 'b']);
  });

  test('whose getter throws throw that', () => {
    const mine = new Error('mine');
    const value = Object.defineProperty(['a'], 0, {
      get() {
        throw mine;
      },
    });
    expect(errorOf(() => tagsOption(X, value))).toBe(mine);
  });

  test('given one by one are judged in the same way', () => {
    expect(tagOption(X, 'a')).toBe('a');
    expectRefusal(() => tagOption(X, ''), 'RangeError', /^options\.x: expected well-formed Unicode of 1 to 255 bytes/);
    expectRefusal(() => tagOption(X, 5), 'TypeError', /^options\.x: expected a string, received number 5$/);
  });
});

describe('a text', () => {
  test('may be empty unless it has a least length', () => {
    expect(textOption(X, '')).toBe('');
    expectRefusal(() => textOption(X, '', 10, 1), 'RangeError', /expected well-formed Unicode of 1 to 10 bytes/);
  });

  test('is measured in bytes, and keeps everything UTF-8 can carry', () => {
    expect(textOption(X, '🦊\uFFFD\uFEFF', 10)).toBe('🦊\uFFFD\uFEFF');
    expectRefusal(() => textOption(X, '🦊\uFFFD\uFEFF', 9), 'RangeError', /of at most 9 bytes/);
    for (const text of ['\uD800', '\uDC00\uD800', 'a\uDFFF']) {
      expectRefusal(
        () => textOption(X, text),
        'RangeError',
        /^options\.x: expected well-formed Unicode of at most 1024/,
      );
    }
  });
});

describe('what was received', () => {
  test.each([
    [null, 'null'],
    [undefined, 'undefined'],
    ['x'.repeat(100), `string "${'x'.repeat(40)}"`],
    [-1.5, 'number -1.5'],
    [5n, 'bigint 5'],
    [Symbol('s'), 'symbol'],
    [() => 1, 'function'],
    [new Map(), 'an instance of Map'],
    [Object.create(null), 'an instance of Object'],
  ])('is said in a few words (%#)', (value, words) => {
    expect(received(value)).toBe(words);
  });

  test('is said in an error even of objects that throw when they are looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const thrower = {
      get constructor(): never {
        throw new Error('mine');
      },
    };
    for (const value of [proxy, thrower, { constructor: { name: Symbol('s') } }, { constructor: null }]) {
      expect(received(value)).toBe('an instance of Object');
      expectRefusal(() => sizeOption(X, value, 1, 2), 'TypeError', /received an instance of Object$/);
    }
  });
});
