// replay-play.ts: plays a trace through a cache of one size and policy, and counts hits and what they saved.
//
// zerohop is the engine itself, in this process, with entries of the recorded sizes: no model of it. Values are zeros. A
// cache larger than the memory for it is played in small: with the share of all keys that has room, each with all its
// requests, in a cache of that share of the size [SHARDS, FAST '15]. The same sample is played through all policies.
//
// Time is that of the log: an entry ends when the log's clock says so. The engine's policy counts requests, and needs
// no clock.

import type { Cache, Keyspace, Policy } from '../index.js';
import { SIMPLE, type Simple, type SimulatedCache, simpleCache } from './replay-policies.js';
import type { Trace } from './replay-trace.js';

export const POLICIES = ['zerohop', 'score', ...SIMPLE] as const;
export type ReplayPolicy = (typeof POLICIES)[number];

export interface PlayOptions {
  readonly policy: ReplayPolicy;
  /** Of the cache, for all that was asked, whatever share of it the log has. */
  readonly bytes: number;
  /** Of this process, at most. */
  readonly memoryBytes: number;
  /** How long values may be served; undefined: as the log says. */
  readonly ttlMs: number | undefined;
}

/** Of all requests of the log, as the sample tells. */
export interface Played {
  readonly hitRate: number;
  readonly savedMs: number;
  /** Requests that were played, of those in the log. */
  readonly played: number;
  /** Requests of values for which the cache that was played is too small. */
  readonly tooLarge: number;
}

/** The smallest cache. */
const ENGINE_BYTES_MIN = 2 ** 20;
/** What an entry takes beside key and value: header, place in the index, policy; as for the caches that are compared. */
export const OVERHEAD_BYTES = 64;
/** Keys of the engine are integers, whatever the log's are. */
const INTEGER_BYTES = 8;
/** So many requests, then the event loop may turn. */
const SLICE = 100_000;

/** Undefined: so small a cache cannot be played. */
export async function played(
  trace: Trace,
  options: PlayOptions,
  onProgress: (requests: number) => void,
): Promise<Played | undefined> {
  const whole = options.bytes * trace.share; // for what the log has
  const sample = Math.min(1, options.memoryBytes / whole);
  const bytes = Math.floor(whole * sample);
  if (isEngine(options.policy) && bytes < ENGINE_BYTES_MIN) return undefined;
  const cache = await cacheFor(options.policy, trace, bytes);
  try {
    return await playedThrough(cache, trace, sample, options.ttlMs, onProgress);
  } finally {
    cache.close?.();
  }
}

const isEngine = (policy: ReplayPolicy) => policy === 'zerohop' || policy === 'score';

type PlayedCache = SimulatedCache & { tooLarge?: number; close?(): void };

async function cacheFor(policy: ReplayPolicy, trace: Trace, bytes: number): Promise<PlayedCache> {
  if (policy === 'zerohop' || policy === 'score') return await engineOf(policy, trace, bytes);
  const { ids, keyBytes, valueBytes } = trace;
  const sizes = Float64Array.from(valueBytes, (value, id) => value + keyBytes[id]! + OVERHEAD_BYTES);
  return simpleCache(policy as Simple, ids, sizes, bytes);
}

async function engineOf(policy: 'zerohop' | 'score', trace: Trace, bytes: number): Promise<PlayedCache> {
  const { open, bytes: codec } = await import('../index.js');
  const names: Record<typeof policy, Policy> = { zerohop: 'learned', score: 'score' };
  return new Engine(open({ maxBytes: bytes, verify: 'off', policy: names[policy] }), codec, trace, bytes);
}

/** The engine. `touch` counts a use as `get` does, and copies nothing. */
class Engine implements PlayedCache {
  readonly #cache: Cache;
  readonly #entries: Keyspace<Uint8Array, unknown, unknown, number>;
  readonly #trace: Trace;
  readonly #mostBytes: number;
  #zeros = new Uint8Array(0);
  tooLarge = 0;

  constructor(cache: Cache, codec: typeof import('../index.js').bytes, trace: Trace, bytes: number) {
    this.#cache = cache;
    this.#entries = cache.keyspace('replay', { codec, keys: 'integer', near: false });
    this.#trace = trace;
    this.#mostBytes = bytes / 2 - 4096; // as native/cache/cache.h has it, with room for what stands around a value
  }

  request(id: number): boolean {
    if (this.#entries.touch(id)) return true;
    const { valueBytes, keyBytes, costsMs } = this.#trace;
    const bytes = Math.ceil(valueBytes[id]! + Math.max(0, keyBytes[id]! - INTEGER_BYTES));
    if (bytes > this.#mostBytes) {
      this.tooLarge++;
      return false;
    }
    if (bytes > this.#zeros.length) this.#zeros = new Uint8Array(bytes);
    this.#entries.set(id, this.#zeros.subarray(0, bytes), { cost: costsMs[id]! });
    return false;
  }

  forget(id: number): void {
    this.#entries.delete(id);
  }

  close(): void {
    this.#cache.close();
  }
}

async function playedThrough(
  cache: PlayedCache,
  trace: Trace,
  sample: number,
  ttlMs: number | undefined,
  onProgress: (requests: number) => void,
): Promise<Played> {
  const { requests, timesMs, costsMs, places } = trace;
  const ends = endsOf(trace, ttlMs);
  let count = 0;
  let hits = 0;
  let savedMs = 0;
  let askedMs = 0;
  let allMs = 0;
  for (let from = 0; from < requests.length; from += SLICE) {
    for (let i = from, to = Math.min(requests.length, from + SLICE); i < to; ++i) {
      const id = requests[i]!;
      const costMs = costsMs[id]!;
      allMs += costMs;
      if (places[id]! >= sample) continue;
      count++;
      askedMs += costMs;
      if (ends?.hasCome(id, timesMs![i]!)) cache.forget(id);
      if (cache.request(id)) {
        hits++;
        savedMs += costMs;
      } else ends?.begin(id, timesMs![i]!);
    }
    onProgress(Math.min(requests.length, from + SLICE));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    hitRate: count === 0 ? 0 : hits / count,
    // The share of the cost that hits saved, of all that there was.
    savedMs: askedMs === 0 ? 0 : ((savedMs / askedMs) * allMs) / trace.share,
    played: count,
    tooLarge: cache.tooLarge ?? 0,
  };
}

/** When entries end, by id, on the clock of the log. */
class Ends {
  readonly #ends: Float64Array;
  readonly #ttls: (id: number) => number;

  constructor(ids: number, ttls: (id: number) => number) {
    this.#ends = new Float64Array(ids).fill(Number.POSITIVE_INFINITY);
    this.#ttls = ttls;
  }

  hasCome(id: number, nowMs: number): boolean {
    return this.#ends[id]! <= nowMs;
  }

  /** It was stored. */
  begin(id: number, nowMs: number): void {
    this.#ends[id] = nowMs + this.#ttls(id);
  }
}

/** Undefined: nothing ends. */
function endsOf({ ids, ttlsMs }: Trace, ttlMs: number | undefined): Ends | undefined {
  if (ttlMs !== undefined) return ttlMs === Number.POSITIVE_INFINITY ? undefined : new Ends(ids, () => ttlMs);
  if (ttlsMs.every(Number.isNaN)) return undefined;
  return new Ends(ids, (id) => (Number.isNaN(ttlsMs[id]!) ? Number.POSITIVE_INFINITY : ttlsMs[id]!));
}
