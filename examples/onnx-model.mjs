// A small ONNX model, written byte by byte so that the example needs no file and no Python: y = softmax(x · W).
// ONNX is a protocol buffer; the numbers are those of the fields in onnx.proto.

/**
 * @param {number} inputs
 * @param {number} outputs
 * @param {Float32Array | { path: string, begin: number, end: number }} weights  [inputs, outputs], or where they lie: in a file
 *   that the session is given by this path, or that lies there as seen from the model
 * @returns {Uint8Array} a model with input `x`, float32 [batch, inputs], and output `y`, float32 [batch, outputs]
 */
export function softmaxModel(inputs, outputs, weights) {
  const FLOAT = 1;
  const dimension = (size) => message(1, typeof size === 'string' ? text(2, size) : varint(1, size));
  const value = (name, shape) =>
    text(1, name) + message(2, message(1, varint(1, FLOAT) + message(2, shape.map(dimension).join(''))));
  const node = (operator, input, output) =>
    [...input.map((name) => text(1, name)), text(2, output), text(4, operator)].join('');
  const initializer = varint(1, inputs) + varint(1, outputs) + varint(2, FLOAT) + text(8, 'W') + elements(weights);
  const graph =
    message(1, node('MatMul', ['x', 'W'], 'logits')) +
    message(1, node('Softmax', ['logits'], 'y')) +
    text(2, 'softmax of x W') +
    message(5, initializer) +
    message(11, value('x', ['batch', inputs])) +
    message(12, value('y', ['batch', outputs]));
  const IR_VERSION = 8;
  const OPERATORS = 13;
  return Buffer.from(varint(1, IR_VERSION) + message(7, graph) + message(8, varint(2, OPERATORS)), 'latin1');
}

/** Of an initializer: in the model itself, or in another file. */
function elements(weights) {
  if (weights instanceof Float32Array)
    return message(9, Buffer.from(weights.buffer, weights.byteOffset, weights.byteLength).toString('latin1'));
  const EXTERNAL = 1;
  const entry = (key, value) => message(13, text(1, key) + text(2, `${value}`));
  const { path, begin, end } = weights;
  return entry('location', path) + entry('offset', begin) + entry('length', end - begin) + varint(14, EXTERNAL);
}

// Bytes as characters of Latin-1: strings are what JavaScript concatenates best.
const number = (value) =>
  value < 128 ? String.fromCharCode(value) : String.fromCharCode((value % 128) + 128) + number(Math.floor(value / 128));
const varint = (field, value) => number(field * 8) + number(value);
const message = (field, bytes) => number(field * 8 + 2) + number(bytes.length) + bytes;
const text = (field, value) => message(field, Buffer.from(value).toString('latin1'));
