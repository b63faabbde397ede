// attach.ts: gives `open` and keyspaces the option `upstream`.
//
// Keyspaces of a cache that are behind one Redis share a link. A keyspace that is opened twice has one tier.

import { native } from '../addon/native.js';
import { whenCollected } from '../base/collected.js';
import { CacheError } from '../base/errors.js';
import { typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import type { Lifetime } from '../cache/options.js';
import { addKeyspaceRoom, addRoom, type KeyspaceFacts } from '../cache/rooms.js';
import { unreadableValue } from '../cache/unreadable.js';
import { addUpstreams, sumOf, type UpstreamState } from '../cache/upstreams.js';
import { formOf } from './forms.js';
import { TieredKeyspace } from './keyspace.js';
import type { Link } from './link.js';
import {
  type CheckedTier,
  type CustomTieredKeyspaceOptions,
  LINK_DEFAULTS,
  type TieredKeyspaceOptions,
  tierOptions,
  type Upstream,
  upstreamOption,
} from './options.js';
import { Tier } from './tier.js';

declare module '../cache/cache.js' {
  interface Cache {
    /** With Redis behind it. @throws {CacheError} `ERR_CACHE_OPTIONS`: its `prefix` is part of another keyspace's. */
    keyspace<In, Out, Own>(name: string, options: TieredKeyspaceOptions<In, Out, Own>): TieredKeyspace<In, Out, Own>;
    keyspace<T>(name: string, options: CustomTieredKeyspaceOptions<T>): TieredKeyspace<T, T, T>;
  }
}

declare module '../cache/options.js' {
  interface OpenOptions {
    /** Redis behind the keyspaces that say so: a URL, a client of node-redis, or either with options. */
    upstream?: Upstream;
  }
}

interface OpenTier {
  readonly tier: Tier;
  readonly handle: number;
  readonly options: CheckedTier & Lifetime;
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
    const lifetime: Lifetime = { ttl: checked.ttl, ttlJitter: checked.ttlJitter };
    const asked = { ...options, ...lifetime };
    const known = this.#tiers.get(nativeName);
    if (known !== undefined) {
      if (!sameOptions(known.options, asked))
        throw new CacheError(
          'ERR_CACHE_OPTIONS',
          `keyspace ${JSON.stringify(name)} is open with another upstream, ttl or ttlJitter`,
        );
      return known.tier;
    }
    const prefix = options.prefix ?? (scope === '' ? `${name}:` : `${JSON.stringify([name, scope])}:`);
    const link = this.link(options.target);
    for (const { tier } of this.#tiers.values()) {
      const other = tier.prefix.toString();
      const own = link.keyPrefix + prefix;
      if (tier.link === link && (other.startsWith(own) || own.startsWith(other)))
        throw new CacheError(
          'ERR_CACHE_OPTIONS',
          `keyspace ${JSON.stringify(name)}: its keys in Redis begin with ${JSON.stringify(own)}, those of another ` +
            `keyspace with ${JSON.stringify(other)}, so they could be the same. Set upstream.prefix`,
        );
    }
    const handle = native.keyspace(cacheHandle, nativeName, scope, codec.tag, integerKeys);
    const { tag, encode } = codec;
    const tier = new Tier({
      handle,
      integerKeys,
      form: formOf(tag),
      prefix,
      options,
      link,
      ...lifetime,
      encode: (value) => encode.call(codec, value),
      explain: (error, key) => unreadableValue(error, key, name, tag),
    });
    this.#tiers.set(nativeName, { tier, handle, options: asked });
    void link.ready();
    return tier;
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
    (cache as Cache).onClose(() => upstreams.close());
    addUpstreams(cache as Cache, () => upstreams.states());
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
