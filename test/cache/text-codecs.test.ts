// What the codecs of text and of JSON take, give back and refuse, read in every way.
import { describe, expect, test } from 'vitest';
import { json, utf8 } from 'zerohop';
import { errorOf } from '../fixtures/opened.js';
import { expectRefused, hex, readings, spaceOf } from '../fixtures/readings.js';

const MEBI = 2 ** 20;

describe('utf8', () => {
  test.each([
    ['an empty string', ''],
    ['ASCII', 'hello'],
    ['Latin-1', 'Grüße, naïve façade \u0080\u00ff'],
    ['other scripts', '日本語 עברית हिन्दी'],
    ['surrogate pairs', '🦊👩‍👩‍👧‍👦\u{10FFFF}\u{10000}'],
    ['NULs', '\0a\0b\0'],
    ['a leading byte-order mark', '\uFEFFtext'],
    ['nothing but a byte-order mark', '\uFEFF'],
    ['the replacement character', 'a\uFFFDb\uFFFD'],
    ['the noncharacters', '\uFFFE\uFFFF'],
    ['line ends', '\r\n\u2028\u2029'],
    ['255 characters', 'é'.repeat(255)],
    ['a mebibyte of ASCII', 'abcdefgh'.repeat(MEBI / 8)],
    ['a mebibyte of two-byte characters', 'éü'.repeat(MEBI / 4)],
    ['a mebibyte of surrogate pairs', '🦊'.repeat(MEBI / 4)],
    ['a mebibyte of ASCII that ends in one other character', `${'x'.repeat(MEBI)}é`],
    ['a rope', Array.from({ length: 2000 }, (_, i) => `é${i}`).reduce((rope, part) => rope + part, '')],
  ])('%s come back', (_, text) => {
    const space = spaceOf(utf8);
    expect(space.set('k', text)).toBe(true);
    // Not toBe for each: a difference between mebibytes takes minutes to print.
    expect(readings(space, 'k', (read) => read === text, text.length)).toEqual(new Array(6).fill(true));
  });

  test('strings that differ only in normalisation stay different values', () => {
    const space = spaceOf(utf8);
    space.set('composed', '\u00e9');
    space.set('decomposed', 'e\u0301');
    expect(space.getMany(['composed', 'decomposed'])).toEqual(['\u00e9', 'e\u0301']);
  });

  test('what is stored is UTF-8 and nothing else', () => {
    expect(hex(utf8.encode('aé€🦊'))).toBe('61c3a9e282acf09fa68a');
    expect(utf8.encode('').byteLength).toBe(0);
  });

  test.each(['\uD800', 'a\uD800', '\uDC00a', '\uDC00\uD800', '\uFFFD\uD800', `${'k'.repeat(MEBI)}\uDFFF`])(
    'a lone surrogate is a RangeError, and the old value stays (%#)',
    (text) => {
      const space = spaceOf(utf8);
      space.set('k', 'old');
      const { name, code, message } = errorOf(() => space.set('k', text));
      expect({ name, code }).toEqual({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(message).toMatch(/^value: expected well-formed Unicode, without lone surrogates, received string/);
      expect(space.get('k')).toBe('old');
    },
  );

  test.each([
    ['a Buffer', Buffer.from('text')],
    ['a String object', new String('text')],
    ['an object with toString', { toString: () => 'text' }],
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['a Symbol', Symbol('s')],
    ['an array', ['text']],
  ])('%s is a TypeError', (_, value) => {
    expectRefused(spaceOf(utf8), value, /^value: expected a string, received /);
  });
});

describe('json', () => {
  test.each([
    ['null', null],
    ['false', false],
    ['a number', -1.5e300],
    ['an empty string', ''],
    ['an empty array', []],
    ['an empty object', {}],
    ['nested values', { a: [1, { b: null, 'c d': 'é🦊' }], 日: '\uFEFF\0' }],
    ['a lone surrogate', { text: 'a\uD800', '\uDC00': 1 }],
    ['a mebibyte', { text: 'aé'.repeat(MEBI / 3) }],
    ['depth', JSON.parse('['.repeat(500) + ']'.repeat(500))],
  ])('%s come back', (_, value) => {
    const space = spaceOf(json);
    expect(space.set('k', value)).toBe(true);
    const expected = JSON.stringify(value);
    expect(readings(space, 'k', (read) => JSON.stringify(read) === expected, expected.length)).toEqual(
      new Array(6).fill(true),
    );
  });

  test('every hit is another object, the caller’s own', () => {
    const space = spaceOf(json);
    space.set('k', { list: [1] });
    space.get('k').list.push(2);
    space.getCopy('k').list.push(3);
    space.getMany(['k'])[0].list.push(4);
    expect(space.get('k')).toEqual({ list: [1] });
  });

  test('a property called __proto__ is a property', () => {
    const space = spaceOf(json);
    space.set('k', JSON.parse('{"__proto__": {"polluted": true}}'));
    const read = space.get('k');
    expect(read.polluted).toBeUndefined();
    expect(Object.keys(read)).toEqual(['__proto__']);
  });
});
