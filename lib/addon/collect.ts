// collect.ts: a collection of V8's young generation, on demand.
//
// While a cache evicts, buffers over its segments come back when the young generation is collected. V8 collects it when
// it is full. Filling it on purpose costs more (1 to 2 ms of writing zeros) than collecting it (0.2 ms if little
// lives). So the collector is called directly: a context that is made while V8 has `--expose-gc` has its function (D21
// in docs/DECISIONS.md).

type Collector = (options: { type: 'minor' }) => void;

/** If there is no such function, this much garbage fills any young generation of default size. */
const GARBAGE_ARRAYS = 800;
const GARBAGE_LENGTH = 8000;

let collector: Collector | undefined;

function findCollector(): Collector {
  const own = (globalThis as { gc?: Collector }).gc;
  if (typeof own === 'function') return own;
  try {
    const { setFlagsFromString } = process.getBuiltinModule('node:v8');
    setFlagsFromString('--expose-gc');
    const found: unknown = process.getBuiltinModule('node:vm').runInNewContext('gc');
    setFlagsFromString('--no-expose-gc');
    if (typeof found === 'function') return found as Collector;
  } catch {
    // Flags are frozen, or contexts forbidden.
  }
  return fillYoungGeneration;
}

function fillYoungGeneration(): void {
  for (let i = 0; i < GARBAGE_ARRAYS; ++i) new Array(GARBAGE_LENGTH).fill(0);
}

export function collectYoungGeneration(): void {
  collector ??= findCollector();
  collector({ type: 'minor' });
}
