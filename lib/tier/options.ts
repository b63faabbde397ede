// options.ts: the options of an upstream, of `open` and of a keyspace: their types and their checks.

import {
  choiceOption,
  countOption,
  type Duration,
  type DurationText,
  durationOption,
  optionsObject,
  rangeError,
  textOption,
  typeError,
} from '../base/options.js';
import type { Key, KeyKind, KeyOf } from '../cache/keys.js';
import type { CustomKeyspaceOptions, KeyspaceOptions } from '../cache/options.js';
import type { Link, LinkOptions } from './link.js';
import { isClient, type UpstreamClient } from './redis.js';
import { givenTarget, PLACE_OPTIONS, type Target, targetOf, type UpstreamPlace } from './targets.js';

/** Redis, as `open` is told of it. */
export interface UpstreamOptions<Text extends string = DurationText> extends UpstreamPlace {
  /** How long a reply may take. Default 1 s. One that is later is dropped, and the load goes to its loader. */
  timeout?: Duration<Text> | undefined;
  /** How long connecting may take, with everything until keys are tracked. Default 2 s. */
  connectTimeout?: Duration<Text> | undefined;
  /**
   * How often each connection is asked for a sign of life. Default 1 s. If the network fails without a word, L0
   * may be out of date for twice this time and `timeout`, at most.
   */
  heartbeat?: Duration<Text> | undefined;
}

/** Where Redis is: a URL, a client of node-redis, or options. */
export type Upstream<Text extends string = DurationText> = string | UpstreamClient | UpstreamOptions<Text>;

/** What a {@link Loader} is told beside the keys. */
export interface LoadContext {
  /** Aborted when nobody waits any more: the cache was closed, or `loaderTimeout` is over. */
  readonly signal: AbortSignal;
}

/**
 * Gives the values for keys that neither L0 nor Redis has, in their order; `undefined` or `null` where there is none.
 */
export type Loader<In, K extends Key = Key> = (
  keys: K[],
  context: LoadContext,
) => readonly (In | undefined | null)[] | PromiseLike<readonly (In | undefined | null)[]>;

/** What a keyspace has behind it. Without a place of its own: the cache's `upstream`. */
export interface TierOptions<In, K extends Key = Key, Text extends string = DurationText> extends UpstreamPlace {
  /** What a key is called in Redis: this, and the key. Default: the keyspace's name and `:`. */
  prefix?: string | undefined;
  /** Makes what neither L0 nor Redis has. Without it, such a load gives undefined. */
  loader?: Loader<In, K> | undefined;
  /** How long the loader may take. Default 30 s. */
  loaderTimeout?: Duration<Text> | undefined;
  /**
   * Of many processes that miss a key, one asks its loader, and the others wait for what it stores. Its lease lasts so
   * long, and is renewed while the loader works: when a process is killed, another one takes over after this time.
   * Default 2 s. `false`: every process asks its own. Without leases with `writes: 'local'`.
   */
  lease?: Duration<Text> | false | undefined;
  /**
   * How long after its `ttl` a value may be given while a new one is made. Redis has it for so much longer. Who finds
   * it within that time gets it at once; one process of all asks its loader in the background. Default: none. It needs
   * a finite `ttl`, a `loader`, and leases.
   */
  stale?: Duration<Text> | undefined;
  /**
   * When Redis is told of `set` and `delete`. `'through'` (default): at once. `'behind'`: soon, and only the last write
   * of a key; a process that ends at once loses up to `queue` of them. `'local'`: never; Redis is only read.
   */
  writes?: 'through' | 'behind' | 'local' | undefined;
  /** The most keys whose last write waits, with `'behind'`. Default 10 000. What does not fit is dropped and counted. */
  queue?: number | undefined;
  /**
   * While Redis cannot be asked, what loaders and `set` give is kept in L0 for so long at most. Default 5 s. It is
   * forgotten when Redis answers again.
   */
  aloneTtl?: Duration<Text> | undefined;
}

/** What a model has behind it. The model stands in place of the loader. */
export interface ModelTierOptions<Text extends string = DurationText>
  extends Omit<TierOptions<never, Key, Text>, 'prefix' | 'loader' | 'loaderTimeout'> {
  /**
   * What the key of a result is called in Redis: this, and the fingerprint in hex. Default: `zerohop:model:`, the name
   * (of a tenant's model `["name","tenant"]`), `:`, the codec, and `:`.
   */
  prefix?: string | undefined;
  /** How long an input waits for the run of another process, until it is run here too. Default 30 s. */
  wait?: Duration<Text> | undefined;
}

/** What a keyspace or a model has behind it, checked. */
export interface CheckedTier {
  readonly prefix: string | undefined;
  readonly loader: Loader<unknown> | undefined;
  /** Also how long to wait for another process. */
  readonly loaderTimeoutMs: number;
  /** 0: none. */
  readonly leaseMs: number;
  /** 0: none. */
  readonly staleMs: number;
  readonly writes: 'through' | 'behind' | 'local';
  readonly queue: number;
  readonly aloneTtlMs: number;
  /** The keyspace's own Redis; undefined: the cache's. */
  readonly target: Target | undefined;
}

export interface TieredKeyspaceOptions<In, Out, Own, Kind extends KeyKind = KeyKind, Text extends string = DurationText>
  extends KeyspaceOptions<In, Out, Own, Kind, Text> {
  /** Redis behind this keyspace: `true` for that of the cache; or where it is; or options. */
  upstream: true | string | UpstreamClient | TierOptions<In, KeyOf<Kind>, Text>;
}

export interface CustomTieredKeyspaceOptions<T, Kind extends KeyKind = KeyKind, Text extends string = DurationText>
  extends CustomKeyspaceOptions<T, Kind, Text> {
  upstream: true | string | UpstreamClient | TierOptions<T, KeyOf<Kind>, Text>;
}

const UPSTREAM_OPTIONS = [...PLACE_OPTIONS, 'timeout', 'connectTimeout', 'heartbeat'] as const;
const COMMON_OPTIONS = [...PLACE_OPTIONS, 'prefix', 'lease', 'writes', 'queue', 'aloneTtl'] as const;
const KEYSPACE_OPTIONS = [...COMMON_OPTIONS, 'loader', 'loaderTimeout', 'stale'] as const;
const MODEL_OPTIONS = [...COMMON_OPTIONS, 'wait'] as const;
const WRITES = ['through', 'behind', 'local'] as const;

/** Redis takes keys of 512 MB, L0 of 64 KiB with the prefix left out. */
const PREFIX_BYTES_MAX = 1024;
const TIMEOUT_MAX_MS = 600_000;
const QUEUE_MAX = 10_000_000;

export const LINK_DEFAULTS: LinkOptions = { timeoutMs: 1000, connectTimeoutMs: 2000, heartbeatMs: 1000 };

/** How long to wait, finite. */
function waitOption(name: string, value: unknown, otherwise: number): number {
  if (value === undefined) return otherwise;
  const ms = durationOption(name, value, 1, TIMEOUT_MAX_MS);
  return Math.min(ms, TIMEOUT_MAX_MS);
}

/** What `open` was given as `upstream`: makes the link to it; undefined if it was given nothing. */
export function upstreamOption(value: unknown): (() => Link) | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' || isClient(value)) {
    const target = targetOf('options.upstream', value);
    return () => target.link(LINK_DEFAULTS);
  }
  const given = optionsObject('options.upstream', value, UPSTREAM_OPTIONS);
  const options: LinkOptions = {
    timeoutMs: waitOption('options.upstream.timeout', given['timeout'], LINK_DEFAULTS.timeoutMs),
    connectTimeoutMs: waitOption(
      'options.upstream.connectTimeout',
      given['connectTimeout'],
      LINK_DEFAULTS.connectTimeoutMs,
    ),
    heartbeatMs: waitOption('options.upstream.heartbeat', given['heartbeat'], LINK_DEFAULTS.heartbeatMs),
  };
  const target = givenTarget('options.upstream', given);
  if (target === undefined) throw typeError('options.upstream', `an object with ${PLACE_OPTIONS.join(' or ')}`, value);
  return () => target.link(options);
}

/** @internal */
export function tierOptions(value: unknown, of: 'keyspace' | 'model' = 'keyspace'): CheckedTier {
  const direct = typeof value === 'string' || isClient(value);
  const name = 'options.upstream';
  const [allowed, wait] = of === 'model' ? [MODEL_OPTIONS, 'wait'] : [KEYSPACE_OPTIONS, 'loaderTimeout'];
  const given = optionsObject(name, value === true || direct ? undefined : value, allowed);
  const { prefix, loader, lease, writes = 'through', queue = 10_000 } = given;
  if (loader !== undefined && typeof loader !== 'function') throw typeError(`${name}.loader`, 'a function', loader);
  const leaseMs = lease === false || writes === 'local' ? 0 : waitOption(`${name}.lease`, lease, 2_000);
  const staleMs = given['stale'] === undefined ? 0 : durationOption(`${name}.stale`, given['stale']);
  if (staleMs === Number.POSITIVE_INFINITY) throw rangeError(`${name}.stale`, 'a finite duration', given['stale']);
  if (staleMs > 0 && (loader === undefined || leaseMs === 0))
    throw typeError(`${name}.stale`, 'nothing without a loader, without leases, or with writes: local', given['stale']);
  return {
    prefix: prefix === undefined ? undefined : textOption(`${name}.prefix`, prefix, PREFIX_BYTES_MAX),
    loader: loader as Loader<unknown> | undefined,
    loaderTimeoutMs: waitOption(`${name}.${wait}`, given[wait], 30_000),
    leaseMs,
    staleMs,
    writes: choiceOption(`${name}.writes`, writes, WRITES),
    queue: countOption(`${name}.queue`, queue, 1, QUEUE_MAX),
    aloneTtlMs: waitOption(`${name}.aloneTtl`, given['aloneTtl'], 5_000),
    target: direct ? targetOf(name, value as string | UpstreamClient) : givenTarget(name, given),
  };
}
