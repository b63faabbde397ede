// What Node's APIs do with a view. Wherever one refuses, or takes the memory away, the cache must go on serving right
// values, and getCopy must work.
import { describe, expect, test } from 'vitest';
import { answer, type Backend, backends, nodeMajor } from '../fixtures/child.js';

type Outcome = string;

/** With a view of an external SharedArrayBuffer, if not 'right'. */
const SHARED: Record<string, Outcome> = {
  'structuredClone(view, { transfer })': nodeMajor >= 22 ? 'DataCloneError' : 'ERR_INVALID_TRANSFER_OBJECT',
  'postMessage(view, transfer)': nodeMajor >= 22 ? 'DataCloneError' : 'ERR_INVALID_TRANSFER_OBJECT',
  'new Worker({ workerData: view, transferList })': nodeMajor >= 22 ? 'DataCloneError' : 'ERR_INVALID_TRANSFER_OBJECT',
  'buffer.transfer()': 'missing',
  // Node 20's Node-API has no way to the memory of a SharedArrayBuffer, and onnxruntime asks the buffer for it.
  ...(nodeMajor < 22 && { 'ort session.run(view)': 'Error' }),
  'byte stream enqueue(view)': nodeMajor >= 24 ? 'ERR_INVALID_ARG_VALUE' : 'TypeError',
  // On 24 and later undici takes the view for something to be made a string of.
  'new Response(view)': nodeMajor >= 24 ? 'wrong' : 'TypeError',
  'new Request(body: view)': nodeMajor >= 24 ? 'wrong' : 'TypeError',
  'new Response(Buffer over view)': nodeMajor >= 24 ? 'wrong' : 'TypeError',
  'fetch(body: view)': nodeMajor >= 24 ? 'wrong' : 'TypeError',
  'FormData.append(view)': 'wrong', // a string of every array, shared or not
  ...(nodeMajor >= 24 && { 'CompressionStream write(view)': 'ERR_INVALID_ARG_TYPE' }),
  'subtle.digest(view)': 'ERR_INVALID_ARG_TYPE',
  'subtle.encrypt(view)': 'ERR_INVALID_ARG_TYPE',
};

/** With a view of an external ArrayBuffer. Node marks those as not to be transferred: 20 copies, others refuse. */
const ARRAY: Record<string, Outcome> = {
  ...(nodeMajor >= 22 && {
    'structuredClone(view, { transfer })': 'DataCloneError',
    'postMessage(view, transfer)': 'DataCloneError',
    'new Worker({ workerData: view, transferList })': 'DataCloneError',
  }),
  'buffer.transfer()': nodeMajor >= 22 ? 'detached+neighbours' : 'missing',
  'byte stream enqueue(view)': 'detached+neighbours',
  'FormData.append(view)': 'wrong',
};

/** With a copy in a slab that others' copies are in too. */
const COPY: Record<string, Outcome> = {
  'structuredClone(view, { transfer })': 'detached+neighbours',
  'postMessage(view, transfer)': 'detached+neighbours',
  'new Worker({ workerData: view, transferList })': 'detached+neighbours',
  'buffer.transfer()': nodeMajor >= 22 ? 'detached+neighbours' : 'missing',
  'byte stream enqueue(view)': 'detached+neighbours',
  'FormData.append(view)': 'wrong',
};

const EXCEPTIONS: Record<Backend, Record<string, Outcome>> = { shared: SHARED, array: ARRAY, copy: COPY };

/** With what getCopy gave: it may be given away. */
const OWN: Record<string, Outcome> = {
  'structuredClone(view, { transfer })': 'detached',
  'postMessage(view, transfer)': 'detached',
  'new Worker({ workerData: view, transferList })': 'detached',
  'buffer.transfer()': nodeMajor >= 22 ? 'detached' : 'missing',
  'byte stream enqueue(view)': 'detached',
  'FormData.append(view)': 'wrong',
};

const APIS = [
  'structuredClone(view)',
  'structuredClone(view.buffer)',
  'structuredClone(view, { transfer })',
  'postMessage(view)',
  'postMessage(view, transfer)',
  'new Worker({ workerData: view, transferList })',
  'buffer.transfer()',
  'buffer.slice()',
  'byte stream enqueue(view)',
  'stream enqueue(view)',
  'new Response(view)',
  'new Request(body: view)',
  'new Response(Buffer over view)',
  'new Response(stream of view)',
  'fetch(body: view)',
  'FormData.append(view)',
  'CompressionStream write(view)',
  'new Blob([view])',
  'subtle.digest(view)',
  'subtle.encrypt(view)',
  'createHash().update(view)',
  'fs.writeSync(view)',
  'gzipSync(view)',
  'TextDecoder.decode(view)',
  'Buffer.from(view)',
  'Buffer.from(view.buffer, …)',
  'Buffer.concat([view])',
  'Buffer.compare(view)',
  'socket.end(view)',
  'ort.Tensor(view)',
  'ort session.run(view)',
];

const expected = (exceptions: Record<string, Outcome>) =>
  Object.fromEntries(APIS.map((name) => [name, exceptions[name] ?? 'right']));

describe.each(backends)('backend %s', (backend) => {
  test('APIs read a view right, or refuse it, and the cache serves right values after each', async () => {
    const { results, ...rest } = await answer('detach.mjs', { backend });
    expect(results).toEqual(expected(EXCEPTIONS[backend]));
    expect(rest).toMatchObject({ backend, problems: [], misses: 0, corrupted: 0, views: backend !== 'copy' });
    // A segment whose buffer was taken away is shown anew.
    if (backend === 'array') expect(rest.exposures).toBeGreaterThan(1);
  });

  test('every API takes what getCopy gives, and nothing it does reaches the cache', async () => {
    const { results, ...rest } = await answer('detach.mjs', { backend, args: ['getCopy'] });
    expect(results).toEqual(expected(OWN));
    expect(rest).toMatchObject({ problems: [], misses: 0, corrupted: 0 });
  });
});
