// replay-trace.ts: an access log as arrays of numbers, for playing it many times: which id was asked for, and when; of
// each id how large its entry is, and what computing it costs.
//
// What a log does not know of a key is filled in: its size is that of the other keys on average, its cost what the user
// says. Of several sizes or costs of a key, the last one stands for all.
//
// Memory: 12 bytes a request, and some 100 bytes and the key itself for each key.

import { readAccessLog } from './access-log.js';
import { shown } from './print.js';
import { rankOf } from './verify-sample.js';

export interface Trace {
  /** Ids are dense, in order of appearance. */
  readonly requests: Uint32Array;
  /** When, in ms since 1970; undefined: the log does not say it of all. */
  readonly timesMs: Float64Array | undefined;
  readonly ids: number;
  /** By id: bytes of value and key; ms that computing it takes; ms that it may be served, NaN if that is not said. */
  readonly valueBytes: Float64Array;
  readonly keyBytes: Float64Array;
  readonly costsMs: Float64Array;
  readonly ttlsMs: Float64Array;
  /** By id: 0 to 1, by its key alone. Those below a share are a sample of that share of all keys. */
  readonly places: Float64Array;
  /** Requests of keys whose size and cost the log knows. */
  readonly sized: number;
  readonly costed: number;
  /** The share of all keys that the log has. */
  readonly share: number;
}

export interface Defaults {
  /** Of values whose size is not known; undefined: the mean of the others. */
  readonly valueBytes: number | undefined;
  readonly costMs: number | undefined;
}

/** Numbers that become more. */
class Growing {
  #numbers = new Float64Array(1024);
  length = 0;

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const more = new Float64Array(2 * this.length);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers[this.length++] = number;
  }

  set(place: number, number: number): void {
    this.#numbers[place] = number;
  }

  all(): Float64Array {
    return this.#numbers.subarray(0, this.length);
  }
}

const RANKS = 2 ** 53;
const SEED = 0;

/** @throws {Error} the log has no request, or no request with a size. */
export async function readTrace(
  files: readonly string[],
  defaults: Defaults,
  onProgress: (requests: number) => void,
): Promise<Trace> {
  const idOf = new Map<string, number>();
  const [requests, times] = [new Growing(), new Growing()];
  const [values, keys, costs, ttls, places] = [
    new Growing(),
    new Growing(),
    new Growing(),
    new Growing(),
    new Growing(),
  ];
  let share = 1;
  for (const file of files) {
    const head = await readAccessLog(file, ({ key, timeMs, bytes, costMs, ttlMs }) => {
      const name = typeof key === 'string' ? `t${key}` : `b${key.toString('latin1')}`;
      let id = idOf.get(name);
      if (id === undefined) {
        id = idOf.size;
        idOf.set(name, id);
        const written = typeof key === 'string' ? Buffer.from(key) : key;
        keys.push(written.length);
        places.push(rankOf(written, SEED) / RANKS);
        for (const unknown of [values, costs, ttls]) unknown.push(Number.NaN);
      }
      requests.push(id);
      times.push(timeMs ?? Number.NaN);
      if (bytes !== undefined) values.set(id, bytes);
      if (costMs !== undefined) costs.set(id, costMs);
      if (ttlMs !== undefined) ttls.set(id, ttlMs);
      onProgress(requests.length);
    });
    share = Math.min(share, head.share);
  }
  if (requests.length === 0) throw new Error(`${files.map(shown).join(', ')}: there is no request in it`);
  const order = Uint32Array.from(requests.all());
  const valueBytes = values.all();
  const costsMs = costs.all();
  const sized = knownIn(order, valueBytes);
  const costed = knownIn(order, costsMs);
  fill(valueBytes, defaults.valueBytes ?? meanOf(valueBytes));
  fill(costsMs, defaults.costMs ?? 0);
  if (Number.isNaN(valueBytes[0]!))
    throw new Error(`${files.map(shown).join(', ')}: does not say how many bytes values have; --bytes <size> says it`);
  const timesMs = times.all();
  return {
    requests: order,
    timesMs: timesMs.some(Number.isNaN) ? undefined : timesMs,
    ids: idOf.size,
    ...{ valueBytes, keyBytes: keys.all(), costsMs, ttlsMs: ttls.all(), places: places.all(), sized, costed, share },
  };
}

function knownIn(requests: Uint32Array, of: Float64Array): number {
  let known = 0;
  for (const id of requests) if (!Number.isNaN(of[id]!)) known++;
  return known;
}

function fill(numbers: Float64Array, otherwise: number): void {
  for (let i = 0; i < numbers.length; ++i) if (Number.isNaN(numbers[i]!)) numbers[i] = otherwise;
}

/** Of those that are known; NaN if none is. */
function meanOf(numbers: Float64Array): number {
  let sum = 0;
  let known = 0;
  for (const number of numbers)
    if (!Number.isNaN(number)) {
      sum += number;
      known++;
    }
  return sum / known;
}
