// A recommender's second stage: the embeddings of 100 candidates, gathered from the cache into the input of an
// onnxruntime-node session.  `gather` copies each row once, into memory that the session reads as it is; what the cache
// does not hold is listed, computed, and stored for the next request.
//
//   node examples/onnx-batch.mjs

import ort from 'onnxruntime-node';
import { float32, open } from 'zerohop';
import { softmaxModel } from './onnx-model.mjs';

const DIMENSIONS = 1024;
const CLASSES = 8;
const CANDIDATES = 100;

const cache = open({ maxBytes: '64MB' });
const items = cache.keyspace('items', { codec: float32(DIMENSIONS), keys: 'integer' });
const weights = Float32Array.from({ length: DIMENSIONS * CLASSES }, (_, i) => Math.sin(i) / 32);
const session = await ort.InferenceSession.create(softmaxModel(DIMENSIONS, CLASSES, weights));

/** Stands in for the model that makes embeddings. */
const embed = (id) => Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.cos(id * 0.37 + i));

/** The class of each item, and how many of their embeddings were in the cache. */
async function classify(ids) {
  const batch = new Float32Array(ids.length * DIMENSIONS);
  const { hits, missing } = items.gather(ids, batch);
  for (const at of missing) {
    const vector = embed(ids[at]);
    items.set(ids[at], vector);
    batch.set(vector, at * DIMENSIONS);
  }
  const { y } = await session.run({ x: new ort.Tensor('float32', batch, [ids.length, DIMENSIONS]) });
  const classes = ids.map((_, row) => {
    const scores = y.data.subarray(row * CLASSES, (row + 1) * CLASSES);
    return scores.indexOf(Math.max(...scores));
  });
  return { hits, classes };
}

const request = Array.from({ length: CANDIDATES }, (_, i) => i * 7);
const first = await classify(request);
const again = await classify(request);
const overlap = await classify(request.map((id) => id + 350));
const same = first.classes.every((one, i) => one === again.classes[i]);
console.log(
  JSON.stringify({ hits: [first.hits, again.hits, overlap.hits], same, classes: new Set(first.classes).size }),
);
cache.close();
