// The hash itself, the text of objects, and the class, against other implementations.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { sha3_256 } from '@noble/hashes/sha3';
import { canonicalize } from 'json-canonicalize';
import { describe, expect, test } from 'vitest';
import * as addon from 'zerohop';
import * as pure from 'zerohop/fingerprint';
import { canonicalJson } from '../../lib/fingerprint/canonical.js';
import { errorOf, openCache } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';
import { VECTORS_FILE, vectors } from './vectors.js';

const { Fingerprint, PUBLIC } = pure;
const TERMS = { scope: PUBLIC, model: 'm@1' } as const;

/** What RFC 8785 makes of JSON, framed as docs/FINGERPRINT.md says. */
function expectJson(value: unknown, text: string = canonicalize(value)): void {
  const rules = { digest: () => '', text: (each: string) => each, maxNodes: 1e6, maxDepth: 500 };
  const made = canonicalJson(value, () => 'input', rules);
  expect(Buffer.concat([Buffer.from('j'), framed(text)]).equals(made), text.slice(0, 200)).toBe(true);
}

function framed(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const digits: number[] = [];
  for (let left = 8 * bytes.length; left > 0; left >>= 8) digits.unshift(left & 255);
  if (digits.length === 0) digits.push(0);
  return Buffer.concat([Buffer.from([digits.length, ...digits]), bytes]);
}

describe('canonical text', () => {
  test('is what a library for RFC 8785 makes of JSON', () => {
    const random = randomFrom(11);
    const any = (depth: number): unknown => {
      const kind = Math.floor(random() * (depth > 3 ? 5 : 7));
      if (kind === 0) return random() < 0.5;
      if (kind === 1) return null;
      if (kind === 2) return (random() - 0.5) * 10 ** Math.floor(random() * 44 - 22);
      if (kind < 5) return String.fromCharCode(...Array.from({ length: random() * 6 }, () => random() * 0xd7ff));
      const parts = Array.from({ length: random() * 5 }, () => any(depth + 1));
      if (kind === 5) return parts;
      return Object.fromEntries(parts.map((part, i) => [`${String.fromCharCode(random() * 0xd7ff)}${i}`, part]));
    };
    for (let i = 0; i < 2000; ++i) {
      const value = any(0);
      const text = canonicalize(value);
      if (/"\$/.test(text)) continue; // names that are escaped
      expectJson(value, text);
    }
  });

  test('is so for texts of all kinds and lengths, for all lengths of integers, and for many names in any order', () => {
    const random = randomFrom(12);
    const units = [
      'a',
      '"',
      '\\',
      '\u0000',
      '\n',
      '\u007f',
      'é',
      '\u07ff',
      '\u0800',
      '漢',
      '\uffff',
      '😀',
      '\u{10ffff}',
    ];
    const textOf = (length: number) =>
      Array.from({ length }, () => units[Math.floor(random() * random() * units.length)]).join('');
    for (let length = 0; length < 400; ++length) expectJson([textOf(length), 'x'.repeat(length)]);
    for (const unit of units) for (const length of [1, 255, 256, 257, 40_000]) expectJson(unit.repeat(length));
    for (let power = 0; power < 60; ++power)
      for (const sum of [-1, 0, 1])
        for (const sign of [1, -1]) expectJson([sign * (2 ** power + sum), sign * 10 ** power]);
    expectJson([-0, 0.1, 5e-324, Number.MAX_VALUE, 1e21, 1e-7, 123456.789]);
    for (const count of [0, 1, 2, 11, 12, 13, 14, 300, 5000]) {
      const names = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? `${i}` : textOf(1 + (i % 5)) + i));
      expectJson(Object.fromEntries(names.map((name, i) => [name, i])));
      expectJson(names.map((name) => ({ [name]: 1, b: 2, a: 3 })));
    }
  });
});

describe('the hash', () => {
  test('is SHA3-256, for all lengths about the first three blocks and random ones', () => {
    const prefix = Buffer.concat([
      Buffer.from([1, 136]),
      framed('zerohop fingerprint 1'),
      Buffer.from('p'),
      framed(''),
      Buffer.from('s'),
      framed('m@1'),
      Buffer.from('j'),
      framed('{"$undefined":true}'),
    ]);
    const blocks = Buffer.concat([prefix, Buffer.alloc(136 - prefix.length)]);
    const random = randomFrom(3);
    const prepared = addon.fingerprinter(TERMS);
    const lengths = [
      ...Array.from({ length: 410 }, (_, i) => i),
      ...Array.from({ length: 40 }, () => Math.floor(random() * 70_000)),
    ];
    const inputs = lengths.map((length) => Buffer.from(Array.from({ length }, () => random() * 256)));
    const many = prepared.many(inputs);
    for (const [i, input] of inputs.entries()) {
      const message = Buffer.concat([blocks, Buffer.from('b'), framed(input)]);
      const wanted = createHash('sha3-256').update(message).digest('hex');
      expect(prepared.of(input).hex).toBe(wanted);
      expect(many.at(i)!.hex).toBe(wanted);
      expect(Buffer.from(sha3_256(message)).toString('hex')).toBe(wanted);
    }
  });

  test('agrees with an implementation in Python, of hashlib alone', ({ skip }) => {
    const script = new URL('./fingerprint.py', import.meta.url).pathname;
    const { error, stdout, stderr } = spawnSync('python3', [script, VECTORS_FILE], { encoding: 'utf8' });
    if (error !== undefined) return skip('no python3 here');
    expect(`${stdout}${stderr}`).toBe(`${vectors.length} of ${vectors.length} agree\n`);
  });
});

describe('a Fingerprint', () => {
  const made = addon.fingerprint({ ...TERMS, input: 'x' });

  test('is 32 bytes, as text and back', () => {
    expect(made).toBeInstanceOf(Uint8Array);
    expect(made.length).toBe(32);
    expect(made.hex).toBe(Buffer.from(made).toString('hex'));
    expect(made.base64url).toBe(Buffer.from(made).toString('base64url'));
    expect(`${made}`).toBe(made.hex);
    expect(JSON.stringify({ made })).toBe(`{"made":"${made.hex}"}`);
    for (let i = 0; i < 256; ++i) {
      const one = addon.fingerprint({ ...TERMS, input: i });
      for (const text of [one.hex, one.hex.toUpperCase(), one.base64url])
        expect(Fingerprint.parse(text).hex).toBe(one.hex);
    }
    for (const text of [
      '',
      'x',
      made.hex.slice(1),
      `${made.hex}0`,
      made.base64url.slice(1),
      `${made.base64url.slice(0, 42)}B`,
    ])
      expect(errorOf(() => Fingerprint.parse(text)).name).toBe('RangeError');
    expect(errorOf(() => Fingerprint.parse(1 as never)).name).toBe('TypeError');
    expect(made.slice(1)).not.toBeInstanceOf(Fingerprint);
    expect(made.map((byte) => byte)).not.toBeInstanceOf(Fingerprint);
  });

  test('is the same class by both ways, and a key of a cache', () => {
    expect(addon.Fingerprint).toBe(pure.Fingerprint);
    expect(addon.PUBLIC).toBe(pure.PUBLIC);
    const cache = openCache();
    cache.set(made, Uint8Array.of(7));
    expect(cache.get(pure.fingerprint({ ...TERMS, input: 'x' }))?.[0]).toBe(7);
    const [first] = addon.fingerprintMany(['x', 'y'], TERMS);
    expect(cache.get(first!)?.[0]).toBe(7);
    expect(cache.get(pure.fingerprint({ ...TERMS, input: 'y' }))).toBeUndefined();
    expect(cache.getMany([made, 'other']).map((value) => value?.[0])).toEqual([7, undefined]);
  });
});
