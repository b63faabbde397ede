// fingerprint.mts — the operations of fingerprints: texts of 100 bytes, tensors of 1 024 float32, a small object.

import { hash } from 'node:crypto';
import {
  explain,
  Fingerprint,
  fingerprint,
  fingerprinter,
  fingerprintMany,
  PUBLIC,
  pipelineFingerprint,
} from 'zerohop';
import { CALLS, type Operation, type Room } from './operation.mjs';
import { expectRight } from './right.mjs';

const IDENTITY = { scope: PUBLIC, domain: 'bench', model: 'encoder@1', params: { temperature: 0 } } as const;
const TEXTS = Array.from({ length: CALLS }, (_, i) => `a prompt ${i}, `.padEnd(100, 'and so on '));
const TENSORS = Array.from({ length: CALLS }, (_, i) => new Float32Array(1024).fill(i + 0.5));
const OBJECTS = TEXTS.map((prompt, seed) => ({ messages: [{ role: 'user', content: prompt }], seed }));
const PIPELINE = { scope: PUBLIC, pipeline: 'search', models: ['encoder@1', 'ranker@2'] } as const;

const single = { calls: CALLS, items: 1 };
const batch = { calls: 1, items: CALLS };

export function fingerprintOperations(): Room {
  const prepared = fingerprinter(IDENTITY);
  const names = TEXTS.map((text) => prepared.of(text));
  const digits = names.map((name) => name.hex);
  const many = prepared.many(TEXTS);
  const told = fingerprint({ ...IDENTITY, input: TEXTS[0] }, { explain: true });
  const warmer = fingerprint({ ...IDENTITY, params: { temperature: 1 }, input: TEXTS[0] }, { explain: true });
  /** Batches and single ones agree, and no two inputs have one name. */
  const agree = (what: string, inputs: readonly unknown[]) => () => {
    const seen = Array.from(prepared.many(inputs), ({ hex }) => hex);
    expectRight(new Set(seen).size === inputs.length, what);
    expectRight(
      inputs.every((input, i) => prepared.of(input).hex === seen[i]),
      what,
    );
    expectRight(
      inputs.every((input, i) => fingerprint({ ...IDENTITY, input }).hex === seen[i]),
      what,
    );
  };
  const of = (what: string, inputs: readonly unknown[]): Operation => ({
    name: `of, ${what}`,
    method: 'Fingerprinter.of',
    ...single,
    check: agree(`of, ${what}`, inputs),
    run: (i) => prepared.of(inputs[i]),
  });
  const manyOf = (what: string, inputs: readonly unknown[]): Operation => ({
    name: `many, of 100 ${what}`,
    method: 'Fingerprinter.many',
    ...batch,
    check: agree(`many, of ${what}`, inputs),
    run: () => prepared.many(inputs),
  });
  const operations: Operation[] = [
    of('a text', TEXTS),
    of('a tensor', TENSORS),
    of('an object', OBJECTS),
    manyOf('texts', TEXTS),
    manyOf('tensors', TENSORS),
    manyOf('objects', OBJECTS),
    {
      name: 'fingerprint, of a text',
      method: 'fingerprint',
      ...single,
      check: agree('fingerprint', TEXTS),
      run: (i) => fingerprint({ ...IDENTITY, input: TEXTS[i] }),
    },
    {
      name: 'fingerprintMany, of 100 texts',
      method: 'fingerprintMany',
      ...batch,
      check: () => expectRight(String([...fingerprintMany(TEXTS, IDENTITY)]) === String([...many]), 'fingerprintMany'),
      run: () => fingerprintMany(TEXTS, IDENTITY),
    },
    {
      name: 'fingerprinter',
      method: 'fingerprinter',
      ...single,
      check: () => expectRight(fingerprinter(IDENTITY).of(TEXTS[0]).hex === digits[0], 'fingerprinter'),
      run: () => fingerprinter(IDENTITY),
    },
    {
      name: 'pipelineFingerprint, of a text',
      method: 'pipelineFingerprint',
      ...single,
      check() {
        const seen = TEXTS.map((input) => pipelineFingerprint({ ...PIPELINE, input }).hex);
        expectRight(new Set([...seen, ...digits]).size === 2 * CALLS, 'pipelineFingerprint');
      },
      run: (i) => pipelineFingerprint({ ...PIPELINE, input: TEXTS[i] }),
    },
    {
      name: 'explain',
      method: 'explain',
      ...single,
      check: () => expectRight(String(explain(told, warmer)) === 'params.temperature', 'explain'),
      run: () => explain(told, warmer),
    },
    {
      name: 'hex',
      method: 'Fingerprint.hex',
      ...single,
      check: () =>
        expectRight(
          names.every((name, i) => Buffer.from(name).toString('hex') === digits[i]),
          'hex',
        ),
      run: (i) => names[i]!.hex,
    },
    {
      name: 'base64url',
      method: 'Fingerprint.base64url',
      ...single,
      check: () =>
        expectRight(
          names.every((name) => Buffer.from(name).toString('base64url') === name.base64url),
          'base64url',
        ),
      run: (i) => names[i]!.base64url,
    },
    {
      name: 'parse, of 64 digits',
      method: 'Fingerprint.parse',
      ...single,
      check: () =>
        expectRight(
          digits.every((text, i) => Fingerprint.parse(text).hex === names[i]!.hex),
          'parse',
        ),
      run: (i) => Fingerprint.parse(digits[i]!),
    },
    {
      name: 'at',
      method: 'Fingerprints.at',
      ...single,
      check: () =>
        expectRight(
          digits.every((text, i) => many.at(i)?.hex === text),
          'at',
        ),
      run: (i) => many.at(i),
    },
    {
      name: 'node:crypto, beside it: of a text',
      method: 'node:crypto',
      ...single,
      check: () => expectRight(hash('sha3-256', TEXTS[0]!, 'hex').length === 64, 'node:crypto'),
      run: (i) => hash('sha3-256', TEXTS[i]!, 'buffer'),
    },
  ];
  return { operations, close: () => undefined };
}
