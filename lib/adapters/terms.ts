// terms.ts: what every adapter that keeps answers is told: where, for whom, for how long.

import '../model/attach.js'; // adapters call `cache.model`
import { isBranded } from '../base/kinds.js';
import { type Duration, durationOption, optionsObject, textOption, typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { PUBLIC, type Scope } from '../fingerprint/fingerprint.js';
import type { ModelTerms } from '../model/terms.js';

export interface AdapterOptions {
  /** Where the answers are kept. It stays the caller's to close. */
  cache: Cache;
  /** Whose answers they are: a tenant's name, or PUBLIC. Those of one scope are never another's. */
  scope: Scope;
  /** Tells apart uses of one model whose answers must not mix. Default `''`. */
  domain?: string;
  /** How long answers may be served. Default: the cache's. */
  ttl?: Duration;
}

/** Checked. @internal */
export interface AdapterTerms {
  readonly cache: Cache;
  readonly scope: Scope;
  readonly domain: string;
  /** Empty if the cache's ttl is meant. */
  readonly life: { readonly ttl?: number };
}

const TERMS = ['cache', 'scope', 'domain', 'ttl'] as const;

/** The terms that `options` name, and all of them, `others` included. @internal */
export function adapterTerms(
  options: object,
  others: readonly string[] = [],
): AdapterTerms & { given: Record<string, unknown> } {
  if (options === undefined) throw typeError('options', 'an object with cache and scope', options);
  const given = optionsObject('options', options, [...TERMS, ...others]);
  const { cache, scope, domain, ttl } = given;
  if (!isBranded(cache, 'Cache')) throw typeError('options.cache', 'a cache, as open() gives', cache);
  return {
    cache: cache as Cache,
    scope: scope === PUBLIC ? PUBLIC : textOption('options.scope', scope, 1024, 1),
    domain: domain === undefined ? '' : textOption('options.domain', domain),
    life: ttl === undefined ? {} : { ttl: durationOption('options.ttl', ttl) },
    given,
  };
}

/** Of a model whose answers are kept by these terms. @internal */
export function modelTerms({ scope, domain, life }: AdapterTerms, name: string, version: string): ModelTerms {
  return { name, version, scope, domain, ...life };
}

/** The keyspace terms of a scope, and a name that no other scope has. @internal */
export function keyspaceOf(name: string, scope: Scope): { label: string; terms: { scope?: string } } {
  return scope === PUBLIC
    ? { label: JSON.stringify([name, null]), terms: {} }
    : { label: JSON.stringify([name, scope]), terms: { scope } };
}
