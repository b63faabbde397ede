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
    const rules = { digest: () => '', text: (text: string) => text, maxNodes: 1e6, maxDepth: 500 };
    for (let i = 0; i < 2000; ++i) {
      const value = any(0);
      const text = canonicalize(value);
      if (/"\$/.test(text)) continue; // names that are escaped
      expect(Buffer.from(canonicalJson(value, () => 'input', rules)).toString()).toBe(text);
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

  function framed(content: string | Buffer): Buffer {
    const bits = 8 * content.length;
    const digits: number[] = [];
    for (let left = bits; left > 0; left >>= 8) digits.unshift(left & 255);
    if (digits.length === 0) digits.push(0);
    return Buffer.concat([Buffer.from([digits.length, ...digits]), Buffer.from(content as string)]);
  }

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
