// attach.ts: gives `open` and keyspaces the option `upstream`.
//
// Keyspaces of a cache that are behind one Redis share a link. A keyspace that is opened twice has one tier.

import { native } from '../addon/native.js';
import { whenCollected } from '../base/collected.js';
import { CacheError } from '../base/errors.js';
import { type DurationText, rangeError, type SizeText, typeError } from '../base/options.js';
import { now, sleep } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import type { KeyKind, KeyOf } from '../cache/keys.js';
import { handleOf } from '../cache/keyspace.js';
import type { Lifetime } from '../cache/options.js';
import { addKeyspaceRoom, addRoom, type KeyspaceFacts } from '../cache/rooms.js';
import { unreadableValue } from '../cache/unreadable.js';
import { addUpstreams, sumOf, type UpstreamState } from '../cache/upstreams.js';
import { addModelRoom, type ModelFacts } from '../model/behind.js';
import { formOf } from './forms.js';
import { TieredKeyspace } from './keyspace.js';
import type { TierParts } from './l0.js';
import type { Link } from './link.js';
import {
  type CheckedTier,
  type CustomTieredKeyspaceOptions,
  LINK_DEFAULTS,
  type ModelTierOptions,
  type TieredKeyspaceOptions,
  tierOptions,
  type Upstream,
  upstreamOption,
} from './options.js';
import type { UpstreamClient } from './redis.js';
import { Results } from './results.js';
import type { UpstreamStats } from './stats.js';
import { Tier } from './tier.js';

declare module '../cache/cache.js' {
  interface Cache {
    /** With Redis behind it. @throws {CacheError} `ERR_CACHE_OPTIONS`: its `prefix` is part of another keyspace's. */
    keyspace<In, Out, Own, Kind extends KeyKind = 'string', Text extends string = DurationText>(
      name: string,
      options: TieredKeyspaceOptions<In, Out, Own, Kind, Text>,
    ): TieredKeyspace<In, Out, Own, KeyOf<Kind>>;
    keyspace<T, Kind extends KeyKind = 'string', Text extends string = DurationText>(
      name: string,
      options: CustomTieredKeyspaceOptions<T, Kind, Text>,
    ): TieredKeyspace<T, T, T, KeyOf<Kind>>;
  }
}

declare module '../model/options.js' {
  interface ModelBaseOptions<Input = unknown, Text extends string = DurationText> {
    /**
     * Redis between this model and those of other processes: what one of them computed, the others need not compute.
     * `true`: that of the cache; or where it is; or options. Then there are no `tags`.
     */
    upstream?: true | string | UpstreamClient | ModelTierOptions<Text> | undefined;
  }
}

declare module '../model/report.js' {
  interface ModelStats {
    /** What lies behind the model, if it has an `upstream`. */
    upstream?: UpstreamStats;
  }
}

declare module '../cache/options.js' {
  interface OpenOptions<Text extends string = SizeText | DurationText> {
    /** Redis behind the keyspaces that say so: a URL, a client of node-redis, or either with options. */
    upstream?: Upstream<Text> | undefined;
  }
}

/** How often a cache that is being drained looks whether Redis has everything. */
const DRAIN_STEP_MS = 5;

/** How long Redis may take to end leases of a cache whose time is over. */
const LEASES_MS = 100;

interface OpenTier {
  readonly tier: Tier;
  readonly handle: number;
  /** What a model knows of it. */
  readonly results: Results | undefined;
  readonly options: CheckedTier & Lifetime;
}

/** What a tier works with, without what all have. */
interface NewTier extends Omit<TierParts, 'handle' | 'options' | 'link'> {
  handle(): number;
  readonly model?: Results;
}

/** What one cache has upstream. It does not refer to the cache. */
class Upstreams {
  readonly #makeLink: (() => Link) | undefined;
  /** By where Redis is; undefined: the cache's own. */
  readonly #links = new Map<unknown, Link>();
  /** By the keyspace's name in native code. */
  readonly #tiers = new Map<string, OpenTier>();

  constructor(makeLink: (() => Link) | undefined) {
    this.#makeLink = makeLink;
  }

  link(target: CheckedTier['target']): Link {
    let link = this.#links.get(target?.key);
    if (link === undefined) {
      const make = target === undefined ? this.#makeLink : () => target.link(LINK_DEFAULTS);
      if (make === undefined)
        throw typeError('options.upstream', 'a place such as url, because `open` was given no upstream', true);
      link = make();
      this.#links.set(target?.key, link);
    }
    return link;
  }

  tier(cacheHandle: number, facts: KeyspaceFacts, options: CheckedTier): Tier {
    const { nativeName, name, scope, codec, integerKeys, checked } = facts;
    const { tag, encode } = codec;
    return this.#open(nativeName, `keyspace ${JSON.stringify(name)}`, options, {
      prefix: options.prefix ?? (scope === '' ? `${name}:` : `${JSON.stringify([name, scope])}:`),
      handle: () => native.keyspace(cacheHandle, nativeName, scope, tag, integerKeys, ''),
      keys: integerKeys ? 'integer' : 'string',
      form: formOf(tag),
      ttl: checked.ttl,
      ttlJitter: checked.ttlJitter,
      encode: (value) => encode.call(codec, value),
      explain: (error, key) => unreadableValue(error, key, name, tag),
    }).tier;
  }

  results(facts: ModelFacts, options: CheckedTier): Results {
    const { cache, nativeName, name, scope, codec, ttlMs } = facts;
    const { tag, encode } = codec;
    const results = new Results(codec);
    const whose = scope === '' ? name : JSON.stringify([name, scope]);
    return this.#open(nativeName, `model ${JSON.stringify(name)}`, options, {
      prefix: options.prefix ?? `zerohop:model:${whose}:${tag}:`,
      handle: () => native.keyspace(handleOf(cache)!, nativeName, scope, tag, false, ''),
      keys: 'fingerprint',
      form: formOf(tag),
      ttl: ttlMs,
      ttlJitter: 0,
      encode: (value) => encode.call(codec, value),
      explain: (error) => error,
      model: results,
    }).results!;
  }

  /** The tier of this name in native code; a new one, if there is none. @param shown  what it is, for errors */
  #open(nativeName: string, shown: string, options: CheckedTier, parts: NewTier): OpenTier {
    const asked = { ...options, ttl: parts.ttl, ttlJitter: parts.ttlJitter };
    const known = this.#tiers.get(nativeName);
    if (known !== undefined) {
      if (!sameOptions(known.options, asked))
        throw new CacheError('ERR_CACHE_OPTIONS', `${shown} is open with another upstream, ttl or ttlJitter`);
      return known;
    }
    if (options.staleMs > 0 && parts.ttl === Number.POSITIVE_INFINITY)
      throw rangeError('options.ttl', 'a finite duration, because of upstream.stale', parts.ttl);
    const link = this.link(options.target);
    const own = link.keyPrefix + parts.prefix;
    for (const { tier, results } of this.#tiers.values()) {
      if (results !== undefined && parts.model !== undefined) continue; // no two models have the same fingerprints
      const other = tier.prefix.toString();
      if (tier.link === link && (other.startsWith(own) || own.startsWith(other)))
        throw new CacheError(
          'ERR_CACHE_OPTIONS',
          `${shown}: its keys in Redis begin with ${JSON.stringify(own)}, those of another keyspace or model with ` +
            `${JSON.stringify(other)}, so they could be the same. Set upstream.prefix`,
        );
    }
    const handle = parts.handle();
    const tier = new Tier({ ...parts, handle, options, link });
    const { model: results } = parts;
    results?.attach(tier);
    const open = { tier, handle, results, options: asked };
    this.#tiers.set(nativeName, open);
    void link.ready();
    return open;
  }

  states(): UpstreamState[] {
    const tiers = Array.from(this.#tiers.values(), ({ tier }) => tier);
    return Array.from(this.#links.values(), (link) => ({
      name: link.shown,
      healthy: link.isUp,
      state: link.state,
      requests: link.counts.commands,
      errors: link.counts.late + link.counts.refused,
      counts: sumOf([link.counts, ...tiers.filter((tier) => tier.link === link).map((tier) => tier.counts)]),
    }));
  }

  /** Waits until nothing is loaded or written, for `ms` at most. Never rejects. Returns whether nothing is. */
  async drain(ms: number): Promise<boolean> {
    const end = now() + ms;
    const isDone = await comesTrue(() => [...this.#tiers.values()].every(({ tier }) => tier.isIdle), ms);
    // The leases of what models have given up: others need not wait for their end.
    await comesTrue(() => [...this.#links.values()].every((link) => link.isIdle), Math.max(LEASES_MS, end - now()));
    return isDone;
  }

  close(): void {
    for (const { tier, handle } of this.#tiers.values()) {
      tier.close();
      native.close(handle);
    }
    this.#tiers.clear();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}

/** Whether `ask` says yes within `ms`. */
async function comesTrue(ask: () => boolean, ms: number): Promise<boolean> {
  for (const end = now() + ms; !ask(); await sleep(DRAIN_STEP_MS)) if (now() >= end) return false;
  return true;
}

function sameOptions(one: OpenTier['options'], other: OpenTier['options']): boolean {
  return (Object.keys(one) as (keyof OpenTier['options'])[]).every((option) =>
    option === 'target' ? one.target?.key === other.target?.key : one[option] === other[option],
  );
}

const all = new WeakMap<object, Upstreams>();

// A cache that was dropped without close().
const collected = whenCollected<Upstreams>((upstreams) => upstreams.close());

addRoom({
  option: 'upstream',
  prepare: upstreamOption,
  attach(cache, makeLink) {
    const upstreams = new Upstreams(makeLink);
    all.set(cache, upstreams);
    collected.register(cache, upstreams);
    (cache as Cache).onDrain((ms) => upstreams.drain(ms), 'last'); // models give what they finish
    (cache as Cache).onClose(() => upstreams.close());
    addUpstreams(cache as Cache, () => upstreams.states());
  },
});

addModelRoom({
  option: 'upstream',
  prepare(value) {
    if (value === undefined) return undefined;
    const options = tierOptions(value, 'model');
    return (facts) => all.get(facts.cache)!.results(facts, options);
  },
});

addKeyspaceRoom({
  option: 'upstream',
  prepare(value) {
    if (value === undefined) return undefined;
    const options = tierOptions(value);
    return {
      keyspace: TieredKeyspace,
      attach(keyspace, cache, cacheHandle, facts) {
        const tier = all.get(cache)!.tier(cacheHandle, facts, options);
        (keyspace as TieredKeyspace<unknown, unknown, unknown>).attach(tier);
      },
    };
  },
});
