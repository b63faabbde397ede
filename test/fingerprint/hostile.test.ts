// What a stranger may hand over as an input, or who has put something on Object.prototype.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { createContext, runInContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import * as addon from 'zerohop';
import * as pure from 'zerohop/fingerprint';
import { errorOf } from '../fixtures/opened.js';

const { PUBLIC } = pure;
const TERMS = { scope: PUBLIC, model: 'm@1' } as const;

/** One of each kind that is told apart by more than its type, as code. */
const KINDS = [
  'new Date(1e12)',
  'new Map([["k", new Set([1, [2]])]])',
  'new ArrayBuffer(5)',
  'new SharedArrayBuffer(6)',
  'Uint8Array.of(1, 2)',
  'Float32Array.of(1, NaN)',
  'Array.from({ length: 1000 }, (_, i) => i)',
  'new (class Tensor { type = "int8"; dims = [1]; cpuData = Int8Array.of(7) })()',
];
const REFUSED = ['new Error("x")', 'new WeakMap()', 'Object.assign(Array.from({ length: 1000 }, () => 1), { a: 1 })'];

/** Beside vitest's own realm, whose classes they would be. */
const require = createRequire(import.meta.url);

describe.each([
  ['by the addon', addon],
  ['in TypeScript', pure],
])('made %s:', (_, { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint }) => {
  const of = (input: unknown) => fingerprint({ ...TERMS, input }).hex;
  const refusalOf = (input: unknown, options?: pure.FingerprintOptions) => {
    const error = errorOf(() => fingerprint({ ...TERMS, input }, options)) as Error & { code: string };
    return `${error.name} ${error.code} ${error.message}`;
  };

  describe('within an input', () => {
    test('more values than maxNodes are refused; each member, element and key of a Map counts as one', () => {
      const input = { a: [1, 2], m: new Map([['k', 'v']]), s: new Set([3]) }; // and itself: 9
      expect(fingerprint({ ...TERMS, input }, { maxNodes: 9 }).hex).toBe(of(input));
      expect(refusalOf(input, { maxNodes: 8 })).toMatch(
        /^RangeError ERR_OUT_OF_RANGE input: expected at most 8 values .*option maxNodes/,
      );
    });

    test('a limit below the default binds inputs alone: a model and its parameters are as they were', () => {
      const identity = { ...TERMS, model: { name: ['m', [1]] }, params: { a: [1, { b: 2 }] } };
      const { hex } = fingerprint({ ...identity, input: 1 });
      for (const options of [{ maxNodes: 1 }, { maxDepth: 1 }, { maxNodes: 1, maxDepth: 1, explain: true }])
        expect(fingerprint({ ...identity, input: 1 }, options).hex).toBe(hex);
      expect(
        pipelineFingerprint({ scope: 's', pipeline: 'p', models: [['a', [1]]], input: 1 }, { maxNodes: 1 }).hex,
      ).toBe(pipelineFingerprint({ scope: 's', pipeline: 'p', models: [['a', [1]]], input: 1 }).hex);
      let endless: object = { x: 1 };
      for (let i = 0; i < 64; ++i) endless = { left: endless, right: endless };
      expect(errorOf(() => fingerprint({ ...TERMS, params: endless, input: 1 }, { maxNodes: 1 })).message).toMatch(
        /^params: expected at most 1000000 values/,
      );
    });

    test('objects that are shared again and again count each time, so that few of them are no endless input', () => {
      let shared: object = { x: 1 };
      for (let i = 0; i < 64; ++i) shared = { left: shared, right: shared };
      expect(refusalOf(shared)).toMatch(/^RangeError ERR_OUT_OF_RANGE input: expected at most 1000000 values/);
    });

    test('maxDepth moves the limit of levels', () => {
      let value: unknown = 1;
      for (let i = 0; i < 1000; ++i) value = [value];
      expect(fingerprint({ ...TERMS, input: value }, { maxDepth: 1000 }).hex).toHaveLength(64);
      expect(refusalOf(value)).toMatch(/^RangeError ERR_OUT_OF_RANGE input: expected at most 500 levels .*maxDepth/);
      expect(refusalOf([[1]], { maxDepth: 1 })).toMatch(/at most 1 levels/);
    });

    test('an object within itself is named where it comes again, also through Map and Set', () => {
      const round = new Map<string, unknown>();
      round.set('s', new Set([[round]]));
      expect(refusalOf({ a: round })).toMatch(
        /^TypeError \S+ input\.a\.value\(0\)\.value\(0\)\[0\]: expected no object within itself/,
      );
    });

    test.each([
      [{ maxNodes: 0 }, /^options\.maxNodes: expected a whole number from 1/],
      [{ maxNodes: '9' }, /^options\.maxNodes: expected a number/],
      [{ maxDepth: 1001 }, /^options\.maxDepth: expected a whole number from 1 to 1000/],
      [{ explain: 1 }, /^options\.explain: expected true or false/],
    ])('%j is refused', (options, message) => {
      expect(errorOf(() => fingerprint({ ...TERMS, input: 1 }, options as never)).message).toMatch(message);
    });

    test('a tensor has 64 dimensions at most', () => {
      const tensor = (rank: number) => ({ dtype: 'int8', shape: new Array(rank).fill(1), data: new Int8Array(1) });
      expect(of(tensor(64))).not.toBe(of(tensor(63)));
      for (const input of [tensor(65), { x: tensor(200_000) }])
        expect(refusalOf(input)).toMatch(/^RangeError \S+ input\S*\.shape: expected at most 64 dimensions/);
    });
  });

  describe('what holds more than its elements or members', () => {
    class Own extends Array<unknown> {}
    const long = Array.from({ length: 5000 }, (__, i) => i);
    test.each<[string, unknown]>([
      [
        'a hole and a member, as many as there are elements',
        Object.assign([1, 2, 3].fill(2, 1), { foo: 9 }, { length: 4 }),
      ],
      ['a hole at the end', Object.assign([1], { length: 2 })],
      ['a long array with a member', Object.assign([...long], { foo: 9 })],
      ['a long array with a member that is undefined', Object.assign([...long], { foo: undefined })],
      ['a long array with a hole', Object.assign([...long], { length: 5001 })],
      ['a long array with a member named by a symbol', Object.assign([...long], { [Symbol('x')]: 1 })],
      ['an array with a member named by a symbol', Object.assign([1], { [Symbol('x')]: 1 })],
      ['an instance of a subclass', Own.of(1, 2)],
      ['an array behind another one', Object.setPrototypeOf([1], [2])],
      ['an array without a prototype', Object.setPrototypeOf([1], null)],
    ])('is refused: %s', (_name, value) => {
      for (const input of [value, { value }])
        expect(refusalOf(input)).toMatch(/^TypeError ERR_INVALID_ARG_TYPE input\S*: expected an array without holes/);
    });

    test('is refused where Dates and plain objects have members named by symbols, enumerable or not', () => {
      for (const input of [
        Object.assign(new Date(0), { [Symbol('x')]: 1 }),
        { [Symbol('x')]: 1 },
        Object.defineProperty({}, Symbol('x'), { value: 1 }),
      ])
        expect(refusalOf([input])).toMatch(/^TypeError ERR_INVALID_ARG_TYPE input\[0\]: expected members with names/);
    });
  });

  describe('for tensors,', () => {
    const data = Int8Array.of(1, 2);
    class Quantized {
      readonly type = 'int8';
      readonly dims = [2];
      constructor(readonly data: Int8Array) {}
    }
    const scaled = (scale: number) => Object.assign(new Quantized(data), { scale });
    test('an instance with a member that no known tensor has is refused, and the member named', () => {
      for (const input of [scaled(0.1), { x: scaled(10) }])
        expect(refusalOf(input)).toMatch(
          /^TypeError ERR_INVALID_ARG_TYPE input\S*\.scale: expected a tensor with no members but/,
        );
      const tensor = new (require('onnxruntime-node').Tensor)('int8', data, [2]);
      expect(refusalOf(Object.assign(tensor, { zeroPoint: 3 }))).toMatch(/input\.zeroPoint: /);
      expect(refusalOf(Object.assign(tensor, { zeroPoint: undefined }))).toMatch(/input\.zeroPoint: /);
    });

    test('an instance with a member that is not enumerable, or named by a symbol, is refused as well', () => {
      const { Tensor } = require('onnxruntime-node');
      const hide = (tensor: object, name: PropertyKey, enumerable: boolean) =>
        Object.defineProperty(tensor, name, { value: 2, enumerable });
      const made = () => [new Tensor('int8', data, [2]), new Quantized(data)] as object[];
      for (const enumerable of [false, true])
        for (const name of enumerable ? ['scale', Symbol('scale')] : ['scale', Symbol('scale'), 'size'])
          for (const tensor of made())
            for (const input of [hide(tensor, name, enumerable), { x: tensor }])
              expect(refusalOf(input)).toMatch(
                /^TypeError \S+ input\S*\.(scale|Symbol\(scale\)|size): expected a tensor with no members but/,
              );
    });

    test('a wrapper as that of transformers.js, with a hidden member beside the tensor, is refused', () => {
      class Wrapper {
        readonly ort_tensor: object = new (require('onnxruntime-node').Tensor)('int8', data, [2]);
      }
      expect(of(new Wrapper())).toBe(of({ dtype: 'int8', shape: [2], data }));
      for (const name of ['scale', Symbol('scale')])
        expect(refusalOf(Object.defineProperty(new Wrapper(), name, { value: 2 }))).toMatch(
          /^TypeError \S+ input: expected a plain object, or one of the kinds/,
        );
    });

    test('neither the class nor members of a typed array count', () => {
      class Scaled extends Int8Array {
        readonly #scale = 2;
        get scale() {
          return this.#scale;
        }
      }
      expect(of(Scaled.from(data))).toBe(of(data));
      expect(of(Object.assign(Int8Array.from(data), { scale: 2 }))).toBe(of(data));
    });

    test('a Map with the members of a tensor is no tensor', () => {
      expect(refusalOf(Object.assign(new Map([[1, 2]]), { type: 'int8', dims: [2], data }))).toMatch(
        /a Map with no members/,
      );
    });

    test('an instance whose data are private, or elsewhere than in memory, is refused', () => {
      class Private {
        readonly type = 'int8';
        readonly dims = [2];
        readonly #data = data;
        get data() {
          return this.#data;
        }
      }
      expect(refusalOf(new Private())).toMatch(/a plain object, or one of the kinds/);
      const remote = new (require('onnxruntime-node').Tensor)('int8', data, [2]);
      expect(refusalOf(Object.assign(remote, { dataLocation: 'gpu-buffer' }))).toMatch(
        /input\.dataLocation: .*getData/,
      );
    });

    test('tensors of onnxruntime and transformers.js are what their type, dims and data are', async () => {
      const plain = { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) };
      const onnx = new (require('onnxruntime-node').Tensor)('float32', Float32Array.of(1, 2), [2, 1]);
      const { Tensor } = await import('@huggingface/transformers');
      const wrapped = new Tensor('float32', Float32Array.of(1, 2), [2, 1]);
      expect([onnx, wrapped].map(of)).toEqual([of(plain), of(plain)]);
      expect(of({ wrapped, onnx })).toBe(of({ wrapped: plain, onnx: plain }));
    });
  });

  describe('an input is read', () => {
    test('with each member and each element once, whatever it answers the next time', () => {
      const reads: string[] = [];
      const counted = (target: object): object =>
        new Proxy(target, {
          get(from, name) {
            const value: unknown = Reflect.get(from, name);
            if (typeof name === 'string' && name !== 'length') reads.push(name);
            return value;
          },
        });
      of({
        b: 1,
        a: counted({ z: [1], y: counted([5, 6]), type: 'x', dims: 1, data: 2 }),
        t: counted({ type: 1, dims: 2, data: 3 }),
      });
      expect(reads.sort()).toEqual(['0', '1', 'data', 'data', 'dims', 'dims', 'type', 'type', 'y', 'z']);
      let asked = 0;
      const counting = {
        get q() {
          return ++asked;
        },
      };
      expect(of({ counting })).toBe(of({ counting: { q: 1 } }));
    });

    test('without being disturbed by a getter that makes a fingerprint itself', () => {
      const nested = {
        a: 'x'.repeat(100),
        get b() {
          return of(['y'.repeat(1000), { z: 1 }]);
        },
        c: [1, 2, 3],
      };
      expect(of(nested)).toBe(of({ a: nested.a, b: nested.b, c: nested.c }));
    });

    test('as what the language says of a typed array, not as its members that are called so', () => {
      const floats = Float32Array.of(1, 2);
      Object.defineProperties(floats, {
        buffer: { value: new ArrayBuffer(8) },
        byteLength: { value: 0 },
        byteOffset: { get: () => 4 },
        length: { value: 7 },
      });
      expect(of(floats)).toBe(of(Float32Array.of(1, 2)));
    });

    test('from a batch that is as long as it was when it was first read', () => {
      const inputs = ['a', 'b'];
      Object.defineProperty(inputs, '1', {
        get() {
          inputs.push('c', 'd');
          return 'b';
        },
      });
      const made = fingerprintMany(inputs, TERMS);
      expect(Array.from(made, ({ hex }) => hex)).toEqual(['a', 'b'].map(of));
      const shrinking: unknown[] = [
        {
          get a() {
            shrinking.length = 1;
            return 1;
          },
        },
        'b',
      ];
      expect(errorOf(() => fingerprintMany(shrinking, TERMS)).message).toMatch(/^inputs\[1\]: .*not a hole/);
    });

    test('up to the first hole of a batch, which is the mistake', () => {
      const inputs: unknown[] = [];
      inputs.length = 2e8;
      const error = errorOf(() => fingerprintMany(inputs, TERMS)) as Error & { code: string };
      expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
      expect(error.message).toMatch(/^inputs\[0\]: expected an input, not a hole/);
    });
  });

  describe('what somebody put on Object.prototype', () => {
    const polluted = ['exclude', 'normalization', 'explain', 'domain', 'params', 'scope', 'model', 'maxNodes', 'input'];
    const root = Object.prototype as unknown as Record<string, unknown>;
    afterEach(() => {
      for (const name of polluted) delete root[name];
    });

    test('is no option, no parameter and no scope', () => {
      const terms = { scope: 'a', model: 'm' };
      const make = () => [
        fingerprint({ ...terms, input: { user: 'x' } }).hex,
        fingerprinter(terms).of({ user: 'x' }).hex,
        pipelineFingerprint({ scope: 'a', pipeline: 'p', models: ['m'], input: { user: 'x' } }).hex,
      ];
      const clean = make();
      const values = [['user'], 'NFC', true, 'd', { a: 1 }, 'b', 'n', 1, 'i'];
      for (const [i, name] of polluted.entries()) root[name] = values[i];
      expect(make()).toEqual(clean);
      expect(errorOf(() => fingerprint({ model: 'm', input: 1 } as never)).message).toMatch(/^scope: /);
      expect(errorOf(() => fingerprint({ scope: 'a', model: 'm' } as never)).message).toMatch(/^input: /);
    });
  });

  describe('from another realm,', () => {
    const realm = createContext({ SharedArrayBuffer });
    const there = (code: string): unknown => runInContext(`(${code})`, realm);
    // biome-ignore lint/security/noGlobalEval: the same code in this realm
    const here = (code: string): unknown => globalThis.eval(`(${code})`);
    test.each([
      '{ b: [1, { c: "é" }], a: null }',
      'new Date(1e12)',
      'new Map([["k", new Set([1, [2]])]])',
      'Object.assign(Object.create(null), { a: 1 })',
      'Float32Array.of(1, NaN)',
      'BigInt64Array.of(1n)',
      'Uint8Array.of(1, 2)',
      'new Uint8ClampedArray(3)',
      'new DataView(new ArrayBuffer(4), 1)',
      'new ArrayBuffer(5)',
      'new SharedArrayBuffer(6)',
      '{ dtype: "float32", shape: [2, 1], data: Float32Array.of(1, 2) }',
      '{ type: "int8", dims: [2], data: Int8Array.of(1, 2) }',
      'new (class Tensor { type = "int8"; dims = [1]; cpuData = Int8Array.of(7) })()',
      '"text"',
      '12n',
    ])('%s has the fingerprint that it has here', (code) => {
      expect(of(there(code))).toBe(of(here(code)));
      expect(of({ value: [there(code)] })).toBe(of({ value: [here(code)] }));
      expect(fingerprintMany([there(code), 'x'], TERMS).at(0)!.hex).toBe(of(here(code)));
    });

    test.each([
      'new Error("x")',
      'Promise.resolve(1)',
      '/x/',
      'Object(1)',
      'new (class extends Array {})()',
      'new (class extends Map {})()',
      'Math',
      '(function () { return arguments })(1)',
    ])('%s is refused as it is here', (code) => {
      for (const value of [there(code), here(code)])
        expect(refusalOf([value])).toMatch(/^TypeError ERR_INVALID_ARG_TYPE input\[0\]: /);
    });

    test('computations, options and batches of another realm are as those of this one', () => {
      const terms = there('{ scope: "t", model: { name: "m" }, params: [1], input: [2], extra: 1 }') as never;
      const options = there('{ exclude: ["a"], normalization: "NFC" }') as never;
      expect(fingerprint(terms, options).hex).toBe(
        fingerprint(
          { scope: 't', model: { name: 'm' }, params: [1], input: [2] },
          { exclude: ['a'], normalization: 'NFC' },
        ).hex,
      );
      expect(Array.from(fingerprintMany(there('["a", [1]]') as never, TERMS), ({ hex }) => hex)).toEqual(
        ['a', [1]].map(of),
      );
    });
  });
});

test('without Node, as in a browser, fingerprints and refusals are the same', () => {
  const script = `
    delete globalThis.process;
    const { fingerprint, PUBLIC } = await import('zerohop/fingerprint');
    const made = [${[...KINDS, ...REFUSED].join()}].map((input) => {
      try {
        return fingerprint({ scope: PUBLIC, model: 'm@1', input: [input] }).hex;
      } catch (error) {
        return error.name + error.code;
      }
    });
    console.log(JSON.stringify(made));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  // biome-ignore lint/security/noGlobalEval: the same code in this process
  const here = KINDS.map((code) => addon.fingerprint({ ...TERMS, input: [globalThis.eval(`(${code})`)] }).hex);
  expect(JSON.parse(stdout)).toEqual([...here, ...REFUSED.map(() => 'TypeErrorERR_INVALID_ARG_TYPE')]);
});
