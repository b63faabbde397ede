// model.mts — the operations of a model that costs nothing: what its cache costs. Texts of 100 bytes, tensors of 1 024
// float32, results of 16 float32.

import { float32, open, PUBLIC } from 'zerohop';
import { CALLS, type Operation, type Room } from './operation.mjs';
import { expectRight } from './right.mjs';

const OUT = 16;
const textOf = (i: number) => `a prompt ${i}, `.padEnd(100, 'and so on ');
const TEXTS = Array.from({ length: CALLS }, (_, i) => textOf(i));
const TENSORS = Array.from({ length: CALLS }, (_, i) => new Float32Array(1024).fill(i + 0.5));
type Input = string | Float32Array;

const single = { calls: CALLS, items: 1 };
const awaited = { ...single, awaited: true } as const;

/** A number that follows from the input. */
const numberOf = (input: Input) => (typeof input === 'string' ? Number.parseInt(input.slice(9), 10) : input[0]!);
const resultOf = (input: Input) => new Float32Array(OUT).fill(numberOf(input));

export async function modelOperations(): Promise<Room> {
  const cache = open({ maxBytes: '64MB' });
  const model = cache.model({
    name: 'classifier',
    version: '1',
    scope: PUBLIC,
    codec: float32(OUT),
    keepInputs: 2 * CALLS,
    tags: (input: Input) => (typeof input === 'string' ? ['a text'] : []),
    run: (inputs: Input[]) => inputs.map(resultOf),
  });
  const results = TEXTS.map(resultOf);
  const isRight = (result: ArrayLike<number> | undefined, input: Input) =>
    result?.length === OUT && result[OUT - 1] === numberOf(input);
  const storeAll = () => {
    for (const [i, text] of TEXTS.entries()) model.set(text, results[i]!);
  };
  for (const input of [...TEXTS, ...TENSORS]) await model.predict(input);
  const { runs } = model.stats();
  let made = 0;

  const hits = (what: string, inputs: readonly Input[]): Operation => ({
    name: `predict, a hit, ${what}`,
    method: 'Model.predict',
    ...awaited,
    async check() {
      for (const input of inputs) expectRight(isRight(await model.predict(input), input), `predict, ${what}`);
      expectRight(model.stats().runs === runs, `predict, ${what}: a hit ran the model`);
    },
    run: (i) => model.predict(inputs[i]!),
  });
  const hitsOfMany = (what: string, inputs: readonly Input[]): Operation => ({
    name: `predictMany, 100 hits, ${what}`,
    method: 'Model.predictMany',
    calls: 1,
    items: CALLS,
    awaited: true,
    async check() {
      const seen = await model.predictMany(inputs);
      expectRight(
        seen.every((result, i) => isRight(result, inputs[i]!)),
        `predictMany, ${what}`,
      );
    },
    run: () => model.predictMany(inputs),
  });
  /** What forgets: all texts have results before, and none after it. */
  const forgets = (what: string, forget: () => void) => () => {
    storeAll();
    expectRight(
      TEXTS.every((text) => isRight(model.peek(text), text)),
      `set before ${what}`,
    );
    forget();
    expectRight(!TEXTS.some((text) => model.peek(text)), what);
    storeAll();
  };
  const reading: Operation[] = [
    hits('a text', TEXTS),
    hits('a tensor asked for lately', TENSORS),
    hitsOfMany('texts', TEXTS),
    hitsOfMany('tensors', TENSORS),
    {
      name: 'settle, 100 hits, texts',
      method: 'Model.settle',
      calls: 1,
      items: CALLS,
      awaited: true,
      async check() {
        const seen = await model.settle(TEXTS);
        expectRight(
          seen.every((one, i) => one.status === 'fulfilled' && isRight(one.value, TEXTS[i]!)),
          'settle',
        );
      },
      run: () => model.settle(TEXTS),
    },
    {
      name: 'fingerprint',
      method: 'Model.fingerprint',
      ...single,
      check: () => expectRight(new Set(TEXTS.map((text) => model.fingerprint(text).hex)).size === CALLS, 'fingerprint'),
      run: (i) => model.fingerprint(TEXTS[i]!),
    },
    {
      name: 'peek',
      method: 'Model.peek',
      ...single,
      check: () =>
        expectRight(
          TEXTS.every((text) => isRight(model.peek(text), text)),
          'peek',
        ),
      run: (i) => model.peek(TEXTS[i]!),
    },
    {
      name: 'entry',
      method: 'Model.entry',
      ...single,
      check: () =>
        expectRight(
          TEXTS.every((text) => isRight(model.entry(text)?.value, text)),
          'entry',
        ),
      run: (i) => model.entry(TEXTS[i]!),
    },
    {
      name: 'hottest, of 10',
      method: 'Model.hottest',
      calls: 1,
      items: 10,
      check: () => expectRight(model.hottest(10).length === 10, 'hottest'),
      run: () => model.hottest(10),
    },
    {
      name: 'stats',
      method: 'Model.stats',
      ...single,
      check: () => expectRight(model.stats().hits >= CALLS, 'stats'),
      run: () => model.stats(),
    },
    {
      name: 'report',
      method: 'Model.report',
      ...single,
      check: () => expectRight(model.report({ gpuHourPrice: 2 }).hits >= CALLS, 'report'),
      run: () => model.report({ gpuHourPrice: 2 }),
    },
    {
      name: 'trust',
      method: 'Model.trust',
      ...single,
      check: () => model.trust(),
      run: () => model.trust(),
    },
  ];
  const writing: Operation[] = [
    {
      name: 'predict, a miss',
      method: 'Model.predict',
      ...awaited,
      async check() {
        const input = textOf(CALLS + ++made);
        expectRight(isRight(await model.predict(input), input), 'predict of what is new');
      },
      run: () => model.predict(textOf(CALLS + ++made)),
    },
    {
      name: 'set',
      method: 'Model.set',
      ...single,
      check() {
        storeAll();
        expectRight(
          TEXTS.every((text) => isRight(model.peek(text), text)),
          'set',
        );
      },
      run: (i) => model.set(TEXTS[i]!, results[i]!),
    },
    {
      name: 'delete',
      method: 'Model.delete',
      ...single,
      check: forgets('delete', () => {
        for (const text of TEXTS) model.delete(text);
      }),
      prepare: storeAll,
      run: (i) => model.delete(TEXTS[i]!),
    },
    {
      name: 'invalidateByTag, of 100',
      method: 'Model.invalidateByTag',
      calls: 1,
      items: CALLS,
      check: forgets('invalidateByTag', () => model.invalidateByTag('a text')),
      prepare: storeAll,
      run: () => model.invalidateByTag('a text'),
    },
    {
      name: 'clear',
      method: 'Model.clear',
      calls: 1,
      items: 1,
      check: forgets('clear', () => model.clear()),
      prepare: storeAll,
      run: () => model.clear(),
    },
  ];
  return { operations: [...reading, ...writing], close: () => cache.close() };
}
