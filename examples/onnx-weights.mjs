// A model whose weights lie in a safetensors file: the graph is some hundred bytes and says where in the file its tensors are.
//
// Given as bytes, the model takes the file from `weights.externalData()`, which copies nothing; the session copies the tensors
// it needs, and the weights can be closed. Given as a path, it maps the file beside it by itself: then all processes that do
// so share its pages, as long as operators use them as they lie (`disable_prepacking`).
//
//   node examples/onnx-weights.mjs

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import ort from 'onnxruntime-node';
import { Weights } from 'zerohop';
import { softmaxModel } from './onnx-model.mjs';

const DIMENSIONS = 64;
const CLASSES = 8;
const data = Float32Array.from({ length: DIMENSIONS * CLASSES }, (_, i) => Math.sin(i) / 2);
const row = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.cos(i));

const classify = async (session) =>
  Array.from((await session.run({ x: new ort.Tensor('float32', row, [1, DIMENSIONS]) })).y.data);

const folder = mkdtempSync(join(tmpdir(), 'onnx-weights-'));
try {
  const file = join(folder, 'model.safetensors');
  await Weights.write(file, { W: { dtype: 'float32', shape: [DIMENSIONS, CLASSES], data } });

  const weights = await Weights.open(file, { digest: true }); // the digest: what the version of the model is
  const { place, shape } = weights.tensor('W');
  const model = softmaxModel(...shape, { ...place, path: basename(place.path) });
  const fromBytes = await ort.InferenceSession.create(model, { externalData: weights.externalData() });
  weights.close();

  const path = join(folder, 'model.onnx');
  writeFileSync(path, model);
  const fromPath = await ort.InferenceSession.create(path, { extra: { session: { disable_prepacking: '1' } } });

  const whole = await ort.InferenceSession.create(softmaxModel(DIMENSIONS, CLASSES, data));
  const [expected, ...answers] = await Promise.all([whole, fromBytes, fromPath].map(classify));
  console.log(
    JSON.stringify({
      modelBytes: model.length,
      right: answers.map((answer) => answer.every((value, i) => Math.abs(value - expected[i]) < 1e-6)),
    }),
  );
} finally {
  rmSync(folder, { recursive: true });
}
