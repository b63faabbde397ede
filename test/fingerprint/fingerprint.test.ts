import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import * as addon from 'zerohop';
import * as pure from 'zerohop/fingerprint';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';
import { optionsOf, scopeOf, valueOfDescribed, vectors } from './vectors.js';

const { PUBLIC } = pure;
const TERMS = { scope: PUBLIC, model: 'm@1' } as const;

/** One of each kind that must not share a fingerprint with any other of the list. */
const DIFFERENT: [string, unknown][] = [
  ['text', 'a'],
  ['text that looks like JSON', '"a"'],
  ['an empty text', ''],
  ['a number', 1],
  ['the number as text', '1'],
  ['bigint', 1n],
  ['true', true],
  ['null', null],
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['the form of NaN, written out', { $number: 'NaN' }],
  ['that, escaped once more', { $$number: 'NaN' }],
  ['a Date', new Date(0)],
  ['its text', '1970-01-01T00:00:00.000Z'],
  ['an empty object', {}],
  ['an empty array', []],
  ['a member that is undefined', { a: undefined }],
  ['a member that is null', { a: null }],
  ['an element that is undefined', [undefined]],
  ['two elements', [1, 2]],
  ['a Map', new Map([[1, 2]])],
  ['its entries', [[1, 2]]],
  ['a Set', new Set([1, 2])],
  ['a Set in another order', new Set([2, 1])],
  ['é as one character', 'é'],
  ['é as two', 'e\u0301'],
  ['bytes', Uint8Array.of(1, 0, 0, 0)],
  ['no bytes', new Uint8Array()],
  ['the bytes as uint8', { dtype: 'uint8', shape: [4], data: Uint8Array.of(1, 0, 0, 0) }],
  ['the bytes as int8', Int8Array.of(1, 0, 0, 0)],
  ['the bytes as int32', Int32Array.of(1)],
  ['the bytes as float32', new Float32Array(Int32Array.of(1).buffer)],
  ['the same of shape [1, 1]', { dtype: 'int32', shape: [1, 1], data: Int32Array.of(1) }],
  ['a scalar', { dtype: 'int32', shape: [], data: Int32Array.of(1) }],
  ['bits as float16', { dtype: 'float16', shape: [2], data: Uint16Array.of(1, 0) }],
  ['bits as bfloat16', { dtype: 'bfloat16', shape: [2], data: Uint16Array.of(1, 0) }],
  ['the tensor in an object', { x: Int32Array.of(1) }],
  ['the bytes in an object', { x: Uint8Array.of(1, 0, 0, 0) }],
  ['0 as float32', Float32Array.of(0)],
  ['-0 as float32', Float32Array.of(-0)],
  ['a name with a dollar', { $bytes: 'x' }],
];

describe.each([
  ['by the addon', addon],
  ['in TypeScript', pure],
])('a fingerprint made %s', (_, { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint, explain }) => {
  const of = (input: unknown) => fingerprint({ ...TERMS, input }).hex;

  test.each(vectors.map((vector) => [vector.name, vector] as const))(
    'is the one that vectors.json pins: %s',
    (_name, vector) => {
      const common = { scope: scopeOf(vector), domain: vector.domain ?? '', params: valueOfDescribed(vector.params) };
      const input = valueOfDescribed(vector.input);
      const made =
        vector.models === undefined
          ? fingerprint({ ...common, model: valueOfDescribed(vector.model!), input }, optionsOf(vector))
          : pipelineFingerprint(
              { ...common, pipeline: vector.pipeline!, models: vector.models.map(valueOfDescribed), input },
              optionsOf(vector),
            );
      expect(made.hex).toBe(vector.fingerprint);
    },
  );

  test('is another for each of these inputs, also as parameters and as models', () => {
    const seen = new Map<string, string>();
    for (const [name, value] of DIFFERENT) {
      for (const [place, computation] of [
        ['input', { ...TERMS, input: value }],
        ['params', { ...TERMS, params: value, input: 'x' }],
        ['model', { ...TERMS, model: value, input: 'x' }],
      ] as const) {
        if (value === undefined && place !== 'input') continue; // no model; as good as no parameters
        const { hex } = fingerprint(computation);
        expect(`${seen.get(hex)}`, `${place}: ${name}`).toBe('undefined');
        seen.set(hex, `${place}: ${name}`);
      }
    }
  });

  test('does not depend on the order of members, which buffer holds them, -0 in objects, and payloads of NaN', () => {
    expect(of({ a: 1, b: [2, { d: 3, c: 4 }] })).toBe(of({ b: [2, { c: 4, d: 3 }], a: 1 }));
    expect(of(Object.assign(Object.create(null), { a: 1 }))).toBe(of({ a: 1 }));
    expect(of([-0])).toBe(of([0]));
    expect(of(Buffer.from('abc'))).toBe(of(Uint8Array.of(97, 98, 99)));
    expect(of(Uint8Array.of(0, 97, 98, 99).subarray(1))).toBe(of(Uint8Array.of(97, 98, 99).buffer));
    expect(of(new Float32Array(3))).toBe(of({ type: 'float32', dims: [3], data: new Float32Array(3) }));
    const shifted = new Uint8Array(new Float32Array([9, 1, 2]).buffer, 4);
    expect(of({ dtype: 'F32', shape: [2], data: shifted })).toBe(of(Float32Array.of(1, 2))); // its other name
    expect(of({ dtype: 'float32', shape: [2], data: shifted })).toBe(of(Float32Array.of(1, 2)));
    const floats = Float32Array.of(1, Number.NaN, 3);
    const same = floats.slice();
    new Uint32Array(same.buffer)[1] = 0xffc12345;
    expect(of(same)).toBe(of(floats));
    expect(of({ x: same })).toBe(of({ x: floats }));
    expect(new Uint32Array(same.buffer)[1]).toBe(0xffc12345); // the input itself stays as it is
  });

  test('depends on each field, and on where it ends', () => {
    const whole = { scope: 'a', domain: 'b', model: 'c', params: 'd', input: 'e' };
    const made = [
      fingerprint(whole),
      ...Object.keys(whole).map((name) => fingerprint({ ...whole, [name]: 'other' })),
      fingerprint({ ...whole, scope: PUBLIC }),
      fingerprint({ ...whole, scope: 'ab', domain: '' }),
      fingerprint({ ...whole, domain: 'bc', model: '' }),
      fingerprint({ ...whole, params: 'de', input: '' }),
      pipelineFingerprint({ scope: 'a', domain: 'b', pipeline: '', models: ['c'], params: 'd', input: 'e' }),
      pipelineFingerprint({ scope: 'a', domain: 'b', pipeline: '', models: ['c', 'c'], params: 'd', input: 'e' }),
      pipelineFingerprint({ scope: 'a', domain: 'b', pipeline: 'c', models: ['c'], params: 'd', input: 'e' }),
    ];
    expect(new Set(made.map(({ hex }) => hex)).size).toBe(made.length);
  });

  test('is the same in a batch as one by one, whatever is mixed', () => {
    const random = randomFrom(5);
    const kinds: ((i: number) => unknown)[] = [
      (i) => 'x'.repeat(Math.floor(random() * 600)) + i,
      (i) => Float32Array.from({ length: Math.floor(random() * 300) }, () => i),
      (i) => Float64Array.of(i, Number.NaN),
      (i) => new Uint8Array(Math.floor(random() * 300)).fill(i),
      (i) => ({ i, text: 'ä' }),
      (i) => i,
    ];
    const prepared = fingerprinter(TERMS);
    for (const choice of [[0], [1], [2], [0, 4, 5], [1, 3], [0, 1, 2, 3, 4, 5]]) {
      for (const count of [0, 1, 2, 3, 4, 5, 8, 9, 100]) {
        const inputs = Array.from({ length: count }, (__, i) => kinds[choice[i % choice.length]!]!(i));
        const made = prepared.many(inputs);
        expect(made.length).toBe(count);
        expect(Array.from(made, ({ hex }) => hex)).toEqual(inputs.map(of));
        expect(made.bytes.length).toBe(32 * count);
      }
    }
    expect(fingerprintMany(['a', 'b'], TERMS).at(-1)!.hex).toBe(of('b'));
    expect(fingerprintMany([undefined, 1], TERMS).at(0)!.hex).toBe(of(undefined));
    expect(fingerprintMany(['a'], TERMS).at(1)).toBeUndefined();
    expect(fingerprintMany(['a'], TERMS).at(Number.NaN)).toBeUndefined();
  });

  test('is the same for normalized texts everywhere, and without members that exclude names', () => {
    const nfc = { normalization: 'NFC' } as const;
    for (const [a, b] of [
      ['é', 'e\u0301'],
      [{ é: ['é'] }, { 'e\u0301': ['e\u0301'] }],
    ]) {
      const [one, two] = [a, b].map((input) => fingerprint({ ...TERMS, input, params: input }, nfc).hex);
      expect(one).toBe(two);
      expect(of(a)).not.toBe(of(b));
    }
    expect(errorOf(() => fingerprint({ ...TERMS, input: { é: 1, 'e\u0301': 2 } }, nfc)).message).toMatch(
      /names that stay/,
    );
    const exclude = ['traceId'];
    const params = { temperature: 0, traceId: 'a' };
    const made = [params, { ...params, traceId: 'b' }, { temperature: 0 }, { ...params, temperature: 1 }].map(
      (each) => fingerprint({ ...TERMS, params: each, input: { ...each, nested: each } }, { exclude }).hex,
    );
    const inputs = [params, { ...params, traceId: 'b' }].map(
      (each) => fingerprint({ ...TERMS, params: each, input: each }, { exclude }).hex,
    );
    expect(inputs[0]).toBe(inputs[1]);
    expect(new Set(made).size).toBe(4); // nested members count
  });

  test('explains which of its fields differ', () => {
    const whole = { scope: 'a', domain: 'b', model: { name: 'm', version: 1 }, params: { t: 0, k: 1 }, input: 'x' };
    const make = (over: object) => fingerprint({ ...whole, ...over }, { explain: true });
    const first = make({});
    expect(first.hex).toBe(fingerprint(whole).hex);
    expect(explain(first, make({}))).toEqual([]);
    expect(explain(first, make({ params: { t: 0.5, k: 1 } }))).toEqual(['params.t']);
    expect(explain(first, make({ params: { t: 0, k: 1, seed: undefined } }))).toEqual(['params.seed']);
    expect(explain(first, make({ params: 'none' }))).toEqual(['params']);
    expect(explain(first, make({ model: { name: 'm', version: 2 }, input: 'y' }))).toEqual(['input', 'model.version']);
    expect(explain(first, make({ scope: PUBLIC, domain: '' }))).toEqual(['domain', 'scope']);
    expect(explain(make({ input: { a: Float32Array.of(1) } }), make({ input: { a: Float64Array.of(1) } }))).toEqual([
      'input.a',
    ]);
    const error = errorOf(() => explain(first, fingerprint(whole)));
    expect([error.name, error.message]).toEqual(['TypeError', expect.stringMatching(/^b: expected .*explain: true/)]);
  });

  test.each([
    [
      'no scope',
      { model: 'm', input: 1 },
      'TypeError',
      /^scope: expected a tenant's name or PUBLIC, received undefined/,
    ],
    ['another symbol', { ...TERMS, scope: Symbol('PUBLIC'), input: 1 }, 'TypeError', /^scope: /],
    ['a lone surrogate in it', { ...TERMS, scope: '\ud800', input: 1 }, 'TypeError', /^scope: /],
    ['no model', { scope: PUBLIC, input: 1 }, 'TypeError', /^model: /],
    ['no input', TERMS, 'TypeError', /^input: /],
    ['a domain that is no text', { ...TERMS, domain: 1, input: 1 }, 'TypeError', /^domain: /],
    ['a domain that is null', { ...TERMS, domain: null, input: 1 }, 'TypeError', /^domain: /],
    ['a function', { ...TERMS, input: () => 1 }, 'TypeError', /^input: .*received function/],
    ['a symbol', { ...TERMS, input: [Symbol('x')] }, 'TypeError', /^input\[0\]: /],
    ['a member named by a symbol', { ...TERMS, input: { [Symbol('x')]: 1 } }, 'TypeError', /^input: /],
    ['an instance', { ...TERMS, params: { url: new URL('http://x') }, input: 1 }, 'TypeError', /^params\.url: .*URL/],
    ['a promise', { ...TERMS, input: Promise.resolve(1) }, 'TypeError', /^input: /],
    ['no date', { ...TERMS, input: new Date(Number.NaN) }, 'TypeError', /^input: expected a valid Date/],
    ['a lone surrogate', { ...TERMS, input: 'a\ud800' }, 'TypeError', /^input: .*surrogate/],
    ['one within', { ...TERMS, input: { a: ['\udc00'] } }, 'TypeError', /^input\.a\[0\]: .*surrogate/],
    ['one in a name', { ...TERMS, input: { '\udc00': 1 } }, 'TypeError', /surrogate/],
    [
      'too few data',
      { ...TERMS, input: { dtype: 'float32', shape: [2], data: new Float32Array(1) } },
      'RangeError',
      /^input\.data: expected 8 bytes/,
    ],
    [
      'an unknown type',
      { ...TERMS, input: { dtype: 'float7', shape: [1], data: new Float32Array(1) } },
      'RangeError',
      /^input\.dtype: /,
    ],
    [
      'a type called toString',
      { ...TERMS, input: { dtype: 'toString', shape: [1], data: new Float32Array(1) } },
      'RangeError',
      /^input\.dtype: /,
    ],
    [
      'half a dimension',
      { ...TERMS, input: { dtype: 'int8', shape: [0.5], data: new Int8Array(1) } },
      'RangeError',
      /^input\.shape: /,
    ],
    [
      'a dimension below 0',
      { ...TERMS, input: { dtype: 'int8', shape: [-1, -1], data: new Int8Array(1) } },
      'RangeError',
      /^input\.shape: /,
    ],
  ])('is refused with %s', (_name, computation, name, message) => {
    const error = errorOf(() => fingerprint(computation as never));
    expect([error.name, error.message]).toEqual([name, expect.stringMatching(message)]);
    expect((error as Error & { code: string }).code).toMatch(/^ERR_/);
  });

  test('leaves out excluded members of parameters and of an input alone, by their normalized names', () => {
    const made = (over: object, options: object) => fingerprint({ ...TERMS, input: 'x', ...over }, options).hex;
    const exclude = ['version'];
    expect(made({ model: { name: 'e', version: 1 } }, { exclude })).not.toBe(
      made({ model: { name: 'e', version: 2 } }, { exclude }),
    );
    const piped = [1, 2].map(
      (version) => pipelineFingerprint({ scope: 't', pipeline: 'p', models: [{ version }], input: 1 }, { exclude }).hex,
    );
    expect(piped[0]).not.toBe(piped[1]);
    const nfc = { normalization: 'NFC', exclude: ['é'] };
    expect(made({ params: { 'e\u0301': 1 } }, nfc)).toBe(made({ params: { é: 2 } }, nfc));
    const tensor = (i: number) => ({ dtype: 'int8', shape: [1], data: Int8Array.of(i) });
    for (const place of ['params', 'input'])
      expect(made({ [place]: tensor(1) }, { exclude: ['data'] })).not.toBe(
        made({ [place]: tensor(2) }, { exclude: ['data'] }),
      );
    const error = errorOf(() => made({ params: { [Symbol('x')]: 1 } }, { exclude }));
    expect(error.message).toMatch(/^params: expected members with names/);
    // What does not count explains nothing; what counts further down does.
    const explained = (params: unknown) => fingerprint({ ...TERMS, params, input: 1 }, { exclude, explain: true });
    expect(explain(explained({ version: 1 }), explained({ version: 2 }))).toEqual([]);
    expect(explain(explained({ a: { version: 1 } }), explained({ a: { version: 2 } }))).toEqual(['params.a']);
    expect(explain(explained({ a: 1, 'a.b': 1 }), explained({ a: 2, 'a.b': 2 }))).toEqual(['params.a', 'params.a.b']);
    const terms = { ...TERMS, params: { t: 0 } };
    const early = fingerprinter(terms, { explain: true });
    terms.params.t = 5;
    expect(explain(early.of(1), fingerprint({ ...TERMS, params: { t: 0 }, input: 1 }, { explain: true }))).toEqual([]);
  });

  test('depends on all members of an object that has those of a tensor and others', () => {
    const data = new Uint8Array(4);
    for (const make of [
      (extra: number) => ({ dtype: 'int8', shape: [4], data, extra }),
      (extra: number) => ({ x: { type: 'uint8', dims: [4], data, prompt: extra } }),
      (extra: number) => ({ type: 'function', dims: null, data: null, extra }),
    ])
      expect(of(make(1))).not.toBe(of(make(2)));
    class Steps {
      dtype = 'float32';
      shape = [2, 2];
      stride = [2, 1];
      data = new Float32Array(4);
    }
    class Onnx {
      readonly cpuData = new Float32Array(4);
      dataLocation = 'cpu';
      type = 'float32';
      dims = [2, 2];
      size = 4;
      get data() {
        return this.cpuData;
      }
    }
    expect(errorOf(() => of(new Steps())).message).toMatch(/plain object/);
    expect(of(new Onnx())).toBe(of({ dtype: 'float32', shape: [2, 2], data: new Float32Array(4) }));
    const lies = { dtype: 'float32', shape: [1], data: Int32Array.of(1) };
    expect(errorOf(() => of(lies)).message).toMatch(/^input\.data: expected elements of float32, or bytes/);
    expect(of({ dtype: 'float16', shape: [1], data: Uint16Array.of(1) })).toBe(
      of({ dtype: 'float16', shape: [1], data: Uint8Array.of(1, 0) }),
    );
  });

  class OwnMap extends Map {}
  class OwnDate extends Date {}
  class Hidden {
    readonly #value = 1;
    read() {
      return this.#value;
    }
  }
  Object.setPrototypeOf(Hidden.prototype, null);
  test.each([
    ['a class of Map', new OwnMap()],
    ['a class of Date', new OwnDate(0)],
    ['a Map with members', Object.assign(new Map(), { a: 1 })],
    ['an array with members', Object.assign([1], { t: 1 })],
    ['an array with holes', Object.assign(new Array(2), { 1: 1 })],
    ['an instance of a class without Object', new Hidden()],
    ['an object over another', Object.create(Object.assign(Object.create(null), { a: 1 }))],
    ['Math', Math],
    ['a buffer behind a proxy', new Proxy(new ArrayBuffer(8), {})],
    ['a buffer in name only', Object.setPrototypeOf({ a: 1 }, ArrayBuffer.prototype)],
    ['a Map behind a proxy', new Proxy(new Map(), {})],
    ['a WeakMap', new WeakMap()],
    ['an error', new Error('x')],
    ['a boxed number', Object(1)],
  ])('is refused to %s, because it is not known what of it would count', (_name, value) => {
    for (const input of [value, { value }]) {
      const error = errorOf(() => of(input)) as Error & { code: string };
      expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
      expect(error.message).toMatch(/^input/);
    }
  });

  test('is the same for objects of another realm', () => {
    const foreign = runInNewContext(
      '({ a: [1], m: new Map([[1, 2]]), d: new Date(0), f: new Float32Array(2), b: new ArrayBuffer(3) })',
    );
    const own = { a: [1], m: new Map([[1, 2]]), d: new Date(0), f: new Float32Array(2), b: new ArrayBuffer(3) };
    expect(of(foreign)).toBe(of(own));
    const made = fingerprint({ ...TERMS, input: foreign }, { exclude: ['a'] }).hex;
    expect(made).toBe(fingerprint({ ...TERMS, input: own }, { exclude: ['a'] }).hex);
    expect(made).not.toBe(of(own));
  });

  test('depends on members of any name: toJSON, __proto__, constructor', () => {
    expect(of({ a: 1, b: 2, toJSON: 'x' })).toBe(of({ b: 2, a: 1, toJSON: 'x' }));
    expect(of({ toJSON: 1, z: { a: 1, b: 2 } })).toBe(of({ z: { b: 2, a: 1 }, toJSON: 1 }));
    const names = ['__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'length'];
    const made = names.map((name) => of(JSON.parse(`{"${name}":{"x":1}}`)));
    expect(new Set([...made, of({})]).size).toBe(names.length + 1);
  });

  test('is made of an input of hundreds of levels, and refused to one of more', () => {
    const nested = (depth: number) => {
      let value: unknown = 1;
      for (let i = 0; i < depth; ++i) value = i % 2 === 0 ? [value] : { value };
      return value;
    };
    expect(of(nested(500))).not.toBe(of(nested(499)));
    for (const depth of [501, 100_000]) {
      const error = errorOf(() => of(nested(depth)));
      expect([error.name, error.message]).toEqual(['RangeError', expect.stringMatching(/at most 500 levels/)]);
    }
  });

  test('is refused to an object within itself, and made of one that is there twice', () => {
    const round: Record<string, unknown> = {};
    round['a'] = { round };
    expect(errorOf(() => of(round)).message).toMatch(/^input\.a\.round: expected no object within itself/);
    const shared = { x: 1 };
    expect(of([shared, shared])).toBe(of([{ x: 1 }, { x: 1 }]));
  });

  test('is refused to detached memory, which is never taken for empty', () => {
    const floats = new Float32Array(4);
    structuredClone(floats, { transfer: [floats.buffer] });
    const buffer = new ArrayBuffer(4);
    structuredClone(buffer, { transfer: [buffer] });
    const shrunk = new ArrayBuffer(16, { maxByteLength: 32 } as object);
    const views = [new Float32Array(shrunk, 8, 2), new Uint8Array(shrunk, 8, 2), new DataView(shrunk, 8, 2)];
    (shrunk as unknown as { resize(bytes: number): void }).resize(4);
    const inputs = [floats, { x: floats }, { dtype: 'float32', shape: [0], data: floats }, buffer, [buffer]];
    for (const input of [...inputs, ...views, ...views.map((view) => [view])]) {
      const error = errorOf(() => of(input));
      expect([error.name, error.message]).toEqual(['TypeError', expect.stringMatching(/not detached/)]);
    }
  });

  test('is refused to memory that another input takes away while it is read', () => {
    const taken = new ArrayBuffer(16, { maxByteLength: 32 } as object);
    const inputs = [
      new Int32Array(taken, 0, 4),
      {
        get a() {
          (taken as unknown as { resize(bytes: number): void }).resize(0);
          return 1;
        },
      },
    ];
    const error = errorOf(() => fingerprintMany(inputs, TERMS)) as Error & { code: string };
    expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
    expect(error.message).toMatch(/^inputs\[0\]: /);
  });

  test('is refused with wrong options', () => {
    for (const [options, message] of [
      [{ normalization: 'nfc' }, /^options\.normalization: /],
      [{ exclude: 'a' }, /^options\.exclude: /],
      [{ exclude: [1] }, /^options\.exclude: /],
      [null, /^options: /],
    ] as const)
      expect(errorOf(() => fingerprint({ ...TERMS, input: 1 }, options as never)).message).toMatch(message);
    for (const models of [undefined, 'a', [], [undefined]]) {
      const computation = { scope: PUBLIC, pipeline: 'p', models, input: 1 } as never;
      expect(errorOf(() => pipelineFingerprint(computation)).message).toMatch(/^models/);
    }
    for (const inputs of [undefined, 'ab', new Set(['a'])])
      expect(errorOf(() => fingerprintMany(inputs as never, TERMS)).message).toMatch(/^inputs: /);
    expect(errorOf(() => fingerprintMany(['a', 'b\ud800'], TERMS)).message).toMatch(/^inputs\[1\]: /);
    // A pair of surrogates is none, if its halves belong to two texts.
    expect(errorOf(() => fingerprintMany(['a\ud83d', '\ude00b'], TERMS)).message).toMatch(/^inputs\[0\]: /);
  });
});
