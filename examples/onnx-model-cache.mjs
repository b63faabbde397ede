// An onnxruntime-node session whose results are kept: the rows of a batch that are not known go to the session together, as
// one tensor, each once.
//
// Copies: a row is copied into the session's input, since a tensor is one piece of memory; of its output, rows are views, and
// `cache.model` copies each into the cache and nowhere else. What callers get are views of the cache: the output itself can
// be collected, however long they keep a row.
//
//   node examples/onnx-model-cache.mjs

import ort from 'onnxruntime-node';
import { fingerprint, float32, open, PUBLIC } from 'zerohop';
import { softmaxModel } from './onnx-model.mjs';

const DIMENSIONS = 64;
const CLASSES = 8;

const cache = open({ maxBytes: '64MB' });

/** A classifier of rows: Float32Array [64], or tensors of float32 [1, 64]. */
async function classifier(weights) {
  const file = softmaxModel(DIMENSIONS, CLASSES, weights);
  const session = await ort.InferenceSession.create(file);
  const batches = [];
  let output; // of the last run
  const model = cache.model({
    name: 'softmax',
    version: fingerprint({ scope: PUBLIC, model: 'onnx', input: file }).hex, // of the file, weights included
    scope: PUBLIC,
    codec: float32(CLASSES),
    async run(inputs) {
      batches.push(inputs.length);
      const batch = new Float32Array(inputs.length * DIMENSIONS);
      for (const [i, input] of inputs.entries()) batch.set(rowOf(input), i * DIMENSIONS);
      const { y } = await session.run({ x: new ort.Tensor('float32', batch, [inputs.length, DIMENSIONS]) });
      output = y.data;
      return inputs.map((_, i) => output.subarray(i * CLASSES, (i + 1) * CLASSES));
    },
  });
  return { model, session, batches, outputs: () => output };
}

/** What is of another type or shape is another input, so it comes here and is refused, whatever is kept of the same bytes. */
function rowOf(input) {
  const row = input instanceof ort.Tensor && input.type === 'float32' && input.dims[0] === 1 ? input.data : input;
  if (!(row instanceof Float32Array) || row.length !== DIMENSIONS)
    throw new TypeError(`input: expected float32 [${DIMENSIONS}] or [1, ${DIMENSIONS}]`);
  return row;
}

/** What the session says of one row, without the cache. */
async function directly({ session }, row) {
  return (await session.run({ x: new ort.Tensor('float32', row, [1, DIMENSIONS]) })).y.data;
}

const isSame = (one, other) =>
  one.length === other.length && one.every((value, i) => Math.abs(value - other[i]) < 1e-6);
const weightsOf = (seed) => Float32Array.from({ length: DIMENSIONS * CLASSES }, (_, i) => Math.sin(seed + i) / 2);
const rows = Array.from({ length: 6 }, (_, id) =>
  Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.cos(id + i)),
);

const first = await classifier(weightsOf(0));
const { model, batches } = first;

// Ten inputs, six rows of which are different: one call of the session, with six.
const asked = [0, 1, 2, 0, 3, 4, 5, 5, 1, 0].map((i) => rows[i].slice());
const answers = await model.predictMany(asked);
const again = await model.predictMany(asked);
const direct = await Promise.all(asked.map((row) => directly(first, row)));
const facts = {
  batches: [...batches],
  right: answers.every((answer, i) => isSame(answer, direct[i])),
  sameAgain: again.every((answer, i) => answer.every((value, j) => value === answers[i][j])),
  ofTheCache: answers.every(({ buffer }) => buffer !== first.outputs().buffer),
};

// Two known rows and two new ones, in one call; then alone, in the same turn: one call too.
const [one, two, three, four] = [7, 8, 9, 10].map((id) => rows[0].map((value) => value * id));
await model.predictMany([rows[1], one, rows[2], two]);
await Promise.all([three, four, three].map((row) => model.predict(row)));
facts.later = batches.slice(facts.batches.length);

// The same bytes as a tensor [1, 64] are another input, computed by itself; as anything else refused, and not answered.
const tensorOf = (row, dims) => new ort.Tensor('float32', row.slice(), dims);
const { buffer } = rows[0];
const asTensor = tensorOf(rows[0], [1, DIMENSIONS]);
const wrong = [tensorOf(rows[0], [DIMENSIONS, 1]), new Int32Array(buffer), new Uint8Array(buffer)];
facts.keys = new Set([rows[0], asTensor, ...wrong].map((input) => model.fingerprint(input).hex)).size;
facts.tensor = { right: isSame(await model.predict(asTensor), direct[0]), calls: batches.length };
await model.predict(tensorOf(rows[0], [1, DIMENSIONS]));
facts.tensorAgain = { calls: batches.length };
facts.refused = [];
for (const input of wrong) facts.refused.push(await model.predict(input).catch(({ name }) => name));

// Other weights, another version: nothing of the first is found.
const second = await classifier(weightsOf(1));
facts.otherWeights = {
  unseen: rows.every((row) => second.model.peek(row) === undefined),
  right: isSame(await second.model.predict(rows[0]), await directly(second, rows[0])),
  differ: !isSame(second.model.peek(rows[0]), model.peek(rows[0])),
};
console.log(JSON.stringify(facts));
cache.close();
