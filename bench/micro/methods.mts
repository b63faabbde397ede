// methods.mts — the public methods of which the micro suite measures each, and those that it leaves out, and why.

import { Cache, EmbeddingTable, Fingerprint, Fingerprints, open, PUBLIC, utf8, Weights, WeightTensor } from 'zerohop';

/** Not part of the public interface: their comments say `@internal`. */
const INTERNAL = new Set([
  ...['seek', 'seekMany', 'costOf', 'bytesOf', 'generation', 'shut', 'own', 'viewed', 'store', 'jittered'],
  ...['onClear', 'onClose', 'onDrain', 'predictTold', 'promote', 'settleMany', 'outdateAll', 'forget'],
]);

/** Public, but no operation of a program at work; or another suite's question. */
export const UNMEASURED: Readonly<Record<string, string>> = {
  'Cache.model': 'makes a model, once',
  'Cache.pipeline': 'makes a model of models, once',
  'Cache.admin': 'serves other processes: the suite resp',
  'Model.drain': 'waits for runs that are under way',
  'Fingerprint.slice': 'of Uint8Array',
  'Fingerprint.subarray': 'of Uint8Array',
  'Fingerprint.map': 'of Uint8Array',
  'Fingerprint.filter': 'of Uint8Array',
  'Fingerprint.toString': 'is hex',
  'Fingerprint.toJSON': 'is hex',
  'EmbeddingTable.close': 'is timed with open',
  'EmbeddingTable.swap': 'is open and close',
  'EmbeddingTable.write': 'waits for the disk',
  'Weights.close': 'is timed with open',
  'Weights.write': 'waits for the disk',
  'Weights.computeDigest': 'reads the whole file: the suite weights',
  'Weights.prefetch': 'reads the whole file: the suite weights',
  'Weights.lock': 'needs a limit of the system',
};

/** Every public method of what the suite measures, as `Class.method`. */
export function publicMethods(): string[] {
  const cache = open({ maxBytes: '1MB' });
  const keyspace = cache.keyspace('methods', { codec: utf8 });
  const model = cache.model({
    name: 'methods',
    version: '1',
    scope: PUBLIC,
    codec: utf8,
    run: (texts: string[]) => texts,
  });
  cache.close();
  const lookups = Object.getPrototypeOf(Object.getPrototypeOf(Object.getPrototypeOf(keyspace)));
  return [
    ...methodsOf('Keyspace', lookups),
    ...methodsOf('Keyspace', Object.getPrototypeOf(Object.getPrototypeOf(keyspace))),
    ...methodsOf('Cache', Cache.prototype),
    ...methodsOf('Model', Object.getPrototypeOf(model)),
    ...methodsOf('Fingerprint', Fingerprint.prototype),
    ...methodsOf('Fingerprint', Fingerprint, ['parse']),
    ...methodsOf('Fingerprints', Fingerprints.prototype),
    ...methodsOf('EmbeddingTable', EmbeddingTable.prototype),
    ...methodsOf('EmbeddingTable', EmbeddingTable),
    ...methodsOf('Weights', Weights.prototype),
    ...methodsOf('Weights', Weights),
    ...methodsOf('WeightTensor', WeightTensor.prototype),
  ];
}

/** Functions that an object has itself, getters left out. */
function methodsOf(of: string, holder: object, names = Object.getOwnPropertyNames(holder)): string[] {
  const isMethod = (name: string) => typeof Object.getOwnPropertyDescriptor(holder, name)?.value === 'function';
  return names
    .filter((name) => name !== 'constructor' && name !== 'prototype' && !INTERNAL.has(name) && isMethod(name))
    .map((name) => `${of}.${name}`);
}
