// cache.ts: opening a cache, and what belongs to it as a whole.

import { native, reportHeap } from '../addon/native.js';
import { brand } from '../base/kinds.js';
import {
  booleanOption,
  choiceOption,
  type Duration,
  durationOption,
  limitOption,
  optionsObject,
  type Size,
  shareOption,
  sizeOption,
  textOption,
  typeError,
} from '../base/options.js';
import { clearInterval, setInterval } from '../base/time.js';
import type { ReadonlyUint8Array } from '../base/views.js';
import type { ComputationTerms, Scope } from '../fingerprint/fingerprint.js';
import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprint } from '../fingerprint/native.js';
import { type Naming, namingOf } from '../model/finder.js';
import type { Flight } from '../model/flights.js';
import { Life } from '../model/freshness.js';
import { Model } from '../model/model.js';
import { chain, checkScopes, checkStages, pipelineNaming, type Stage } from '../model/pipeline.js';
import {
  checkTerms,
  keepInputsOption,
  MODEL_TERMS,
  type ModelTerms,
  type Results,
  type RunContext,
  timeoutOption,
} from '../model/terms.js';
import { Blobs, type BlobsOptions } from '../weights/blobs.js';
import { bytes, type Codec, type CustomCodec, resolveCodec } from './codecs.js';
import { Keyspace, type Terms } from './keyspace.js';
import { tidyNearCaches } from './near.js';
import { type CacheStats, cacheStatsOf } from './stats.js';

const VERIFY = ['off', 'sample', 'trap'] as const;
export type Verify = (typeof VERIFY)[number];

const MAX_BYTES_MIN = 2 ** 20;
const MAX_BYTES_MAX = 2 ** 39 - 2 ** 21;

/** Of the memory this process may use, when `maxBytes` is not given. */
const DEFAULT_SHARE = 1 / 4;

/** Of a keyspace's name. */
const LABEL_BYTES_MAX = 1024;

const SCOPE_BYTES_MAX = 1024;

/** Inputs of one run of a model. */
const MAX_BATCH = 1024;

/** How often an isolate with open caches looks for memory to give back. */
const MAINTENANCE_MS = 1000;

export interface OpenOptions {
  /** Caches of one name are one cache, in every worker thread of the process. Without a name: a cache of its own. */
  name?: string;
  /**
   * Bytes for values, keys, entry headers and the index: 1 MiB to 512 GiB; by default a quarter of what the process may
   * use (its control group's limit, or the machine's memory, or what `ulimit -v` leaves). Address space is reserved,
   * memory taken when filled.
   */
  maxBytes?: Size;
  /**
   * What is done about JavaScript writing through a view. `'sample'` (default): the checksum of one hit in 256 is
   * compared; an entry that was written to is dropped, counted as `corrupted`, and answered as a miss. `'trap'`: views
   * are write-protected, and a write ends the process at the line that did it (for tests; Linux). `'off'`: nothing.
   */
  verify?: Verify;
  /** The most entries the cache holds after a `set`, whatever their size. Default, and Infinity: as many as fit in `maxBytes`. */
  maxEntries?: number;
  /** How long values may be served, in all keyspaces that do not say otherwise. Default: for ever. */
  ttl?: Duration;
  /** So much of each `ttl` is taken off at random, from 0 to less than 1: values stored together do not expire together. Default 0. */
  ttlJitter?: number;
  /**
   * What is kept. `'learned'` (default): what the traffic so far says will be asked for soonest, for its bytes and `cost`.
   * `'score'`: what has the highest frequency / ln(time since it was asked for); see `aging` and `admission`.
   */
  policy?: Policy;
  /** `'score'` alone: frequencies are halved now and then, so that old fame fades. Default false. */
  aging?: boolean;
  /**
   * While the cache evicts, a `set` of a new key that is worth less than nearly all that is there stores nothing and
   * returns false. Default: false with `'learned'`, true with `'score'`.
   */
  admission?: boolean;
  /** Where `blobs` are kept. */
  blobs?: BlobsOptions;
}

const POLICIES = ['learned', 'score'] as const;
export type Policy = (typeof POLICIES)[number];

/** What a keyspace may be opened with beside its codec. */
export interface KeyspaceTerms {
  /**
   * Whose values they are: a tenant's name, or PUBLIC, the default. Keyspaces of two scopes are two, also if they have one
   * name. They never share a segment, so no view's `.buffer` shows another scope's bytes.
   */
  scope?: Scope;
  /** How long values may be served. Default: the cache's. */
  ttl?: Duration;
  ttlJitter?: number;
  /** `true`: hits are copies in memory of their own, as `getCopy` gives: for APIs that refuse shared memory. */
  copy?: boolean;
  /** `'integer'`: keys are safe integers. Default: strings and bytes. */
  keys?: 'string' | 'integer';
  /** `false`: no near cache in front of the native call, for keys that are hardly ever asked for twice. */
  near?: boolean;
}

export interface KeyspaceOptions<In, Out, Own> extends KeyspaceTerms {
  codec: Codec<In, Out, Own>;
}

export interface CustomKeyspaceOptions<T> extends KeyspaceTerms {
  codec: CustomCodec<T>;
}

/** A model, its codec, and what computes its results. */
export interface ModelOptions<Input, In, Out, Own> extends ModelTerms<Input> {
  codec: Codec<In, Out, Own>;
  /** Results for the inputs, one each, in their order. An Error in the place of one fails that input alone. */
  run(inputs: Input[], context: RunContext): Results<In> | Promise<Results<In>>;
}

export interface CustomModelOptions<Input, T> extends ModelTerms<Input> {
  codec: CustomCodec<T>;
  run(inputs: Input[], context: RunContext): Results<T> | Promise<Results<T>>;
}

/** A model's options: those that were given, read once. */
type GivenModel<Input> = ModelTerms<Input> & { codec: unknown; run: unknown } & Record<string, unknown>;

const MODEL_OPTIONS = [...MODEL_TERMS, 'codec', 'run'] as const;

/** A pipeline, but for its stages. */
export type PipelineOptions<Input> = Omit<ModelTerms<Input>, 'version' | 'replicas'>;

const PIPELINE_OPTIONS = MODEL_TERMS.filter((name) => name !== 'version' && name !== 'replicas');

const KEYS = ['string', 'integer'] as const;
const OPEN_OPTIONS = [
  'name',
  'maxBytes',
  'verify',
  'maxEntries',
  'ttl',
  'ttlJitter',
  'policy',
  'aging',
  'admission',
  'blobs',
] as const;
const KEYSPACE_OPTIONS = ['codec', 'scope', 'ttl', 'ttlJitter', 'copy', 'keys', 'near'] as const;

let openCaches = 0;
let maintenance: NodeJS.Timeout | undefined;

// What was dropped without close() is closed when it is collected.
const dropped = new FinalizationRegistry<{ handle: number; after: () => void }>(({ handle, after }) => {
  native.close(handle);
  after();
});

// Nothing is left of a model that was collected.
const collected = new FinalizationRegistry<() => void>((forget) => forget());

function maintain(): void {
  tidyNearCaches();
  native.maintain();
}

function startMaintenance(): void {
  openCaches++;
  // Unreferenced: it keeps no process alive.
  maintenance ??= setInterval(maintain, MAINTENANCE_MS).unref();
}

function stopMaintenance(): void {
  if (--openCaches > 0) return;
  clearInterval(maintenance);
  maintenance = undefined;
}

/** An open cache; itself a keyspace of bytes with public scope. Made by {@link open}. */
export class Cache extends Keyspace<Uint8Array | ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array<ArrayBuffer>> {
  readonly #keyspaces = new Set<WeakRef<{ shut(): void }>>();
  readonly #models = new Set<WeakRef<{ outdateAll(): void }>>();
  readonly #flights = new Map<string, Map<string, Flight<never, unknown>>>(); // of models, by keyspace
  readonly #terms: Terms;
  /** Files on a volume, mapped, for what a program loads at its start; beside the cache, and there after it was closed. */
  readonly blobs: Blobs;
  #open = true;

  /** @internal */
  constructor(
    name: string,
    maxBytes: number,
    verify: number,
    maxEntries: number,
    keeping: Keeping,
    terms: Terms,
    blobs: Blobs,
  ) {
    const handle = native.open(
      name,
      maxBytes,
      verify,
      maxEntries,
      `policy ${keeping.policy}, aging ${keeping.aging}, admission ${keeping.admission}, ttl ${terms.ttl} ms, ttlJitter ${terms.ttlJitter}`,
      POLICIES.indexOf(keeping.policy),
      keeping.aging,
      keeping.admission,
    );
    super(handle, bytes, terms);
    this.#terms = terms;
    this.blobs = blobs;
    const near = this.nearCache;
    const after = () => {
      near?.close();
      stopMaintenance();
    };
    dropped.register(this, { handle, after }, this);
    startMaintenance();
  }

  /**
   * A part of the cache with keys of its own. Opening a name again, in the same scope, gives the same entries.
   *
   * @throws {CacheError} `ERR_CACHE_OPTIONS`: open with another codec; more than 1 023 keyspaces, or more scopes than
   *   `maxBytes` has room for. Both stay until the last handle of the cache is closed, and all callers share the limits.
   * @example const embeddings = cache.keyspace('embeddings', { codec: float32(1024) })
   */
  keyspace<In, Out, Own>(name: string, options: KeyspaceOptions<In, Out, Own>): Keyspace<In, Out, Own>;
  keyspace<T>(name: string, options: CustomKeyspaceOptions<T>): Keyspace<T, T, T>;
  keyspace(name: string, options: KeyspaceTerms & { codec: unknown }): Keyspace<unknown, unknown, unknown> {
    const given = optionsObject('options', options, KEYSPACE_OPTIONS);
    const codec = resolveCodec(given['codec']);
    const { scope: owner = PUBLIC } = given;
    const scope = owner === PUBLIC ? '' : textOption('options.scope', owner, SCOPE_BYTES_MAX, 1);
    const keys = given['keys'] === undefined ? 'string' : choiceOption('options.keys', given['keys'], KEYS);
    const copy = given['copy'];
    const near = given['near'];
    const terms: Terms = {
      ...lifeOptions(given, this.#terms),
      copy: copy === undefined ? false : booleanOption('options.copy', copy),
      near: near === undefined ? true : booleanOption('options.near', near),
    };
    const label = textOption('name', name);
    if (label === '') throw typeError('name', 'a name (the cache itself is the nameless keyspace)', name);
    const handle = native.keyspace(this.handle, nameIn(scope, label), scope, codec.tag, keys === 'integer');
    const keyspace = new OpenKeyspace(handle, codec, terms, this);
    const keyspaces = this.#keyspaces; // and not `this`, which the closure below would keep alive
    const reference = new WeakRef(keyspace);
    keyspaces.add(reference);
    const answers = keyspace.nearAnswers;
    const after = () => {
      answers?.close();
      keyspaces.delete(reference);
    };
    dropped.register(keyspace, { handle, after }, keyspace);
    return keyspace;
  }

  /**
   * A model whose results are kept: what is known is not computed again, what is being computed is computed once, and the
   * rest reaches `run` in batches. Each version, and each set of parameters, has a keyspace of its own; the time that `run`
   * takes is the entries' `cost`.
   *
   * @throws {TypeError | RangeError} an option is missing or wrong; `params.temperature` is above 0, and there is neither
   *   `params.seed` nor `replicas`.
   * @throws {CacheError} as {@link keyspace}.
   * @example const embed = cache.model({ name: 'encoder', version: '2', scope: PUBLIC, codec: float32(1024), run })
   */
  model<Input, In, Out, Own>(options: ModelOptions<Input, In, Out, Own>): Model<Input, In, Out>;
  model<Input, T>(options: CustomModelOptions<Input, T>): Model<Input, T, T>;
  model<Input>(options: ModelTerms<Input> & { codec: unknown; run: unknown }): Model<Input, unknown, unknown> {
    const given = optionsObject('options', options, MODEL_OPTIONS) as unknown as GivenModel<Input>;
    checkTerms(given);
    const name = textOption('options.name', given['name'], 255, 1);
    const version = textOption('options.version', given['version'], 255, 1);
    const { scope, domain, params, replicas, fingerprint: rules } = given;
    const terms: ComputationTerms = { scope, domain: domain ?? '', model: { name, version }, params };
    const of = (replica: number): ComputationTerms =>
      replica === 0 ? terms : { ...terms, model: { name, version, replica } };
    return this.#model(given, {
      key: fingerprint({ ...terms, input: null }, rules).hex,
      namings: Array.from({ length: replicas ?? 1 }, (_, replica) => namingOf(of(replica), rules)),
      identity: { name, version, domain: domain ?? '', params },
    });
  }

  /**
   * Models one after another: each takes what the one before it gives. The whole pipeline's result is stored under a
   * compound fingerprint, `pipelineFingerprint` of the stages, and each stage's under its own: when one of them changes,
   * those before it are answered from the cache. Clearing a stage does not clear the pipeline.
   *
   * @param options those of a model, without `version`, `codec` and `run`, which follow from the stages.
   * @throws {TypeError | RangeError} there is no stage, or one is no model, or of another tenant; an option is missing or
   *   wrong.
   * @example const search = cache.pipeline([embed, classify, rank], { name: 'search', scope: PUBLIC })
   */
  pipeline<Input, Result>(stages: readonly Stage[], options: PipelineOptions<Input>): Model<Input, Result, Result> {
    const asked = optionsObject('options', options, PIPELINE_OPTIONS) as unknown as GivenModel<Input>;
    const all = checkStages(stages);
    const given = Object.assign(asked, { codec: all.at(-1)!.codec, run: chain(all) });
    checkTerms(given);
    const { scope, domain, params } = given;
    checkScopes(all, scope);
    const name = textOption('options.name', given['name'], 255, 1);
    const models = all.map(({ identity }) => identity);
    const compound: Parameters<typeof pipelineNaming>[0] = {
      scope,
      domain: domain ?? '',
      pipeline: name,
      models,
      params,
    };
    const { naming, digest } = pipelineNaming(compound, given.fingerprint);
    const identity = { pipeline: name, domain: domain ?? '', models, params };
    const made = Object.assign(given, { version: digest.slice(0, 16) });
    return this.#model(made, { key: digest, namings: [naming], identity }) as Model<Input, Result, Result>;
  }

  #model<Input>(
    given: GivenModel<Input>,
    { key, namings, identity }: { key: string; namings: readonly Naming[]; identity: unknown },
  ): Model<Input, unknown, unknown> {
    const { name, version, scope, staleWhileRevalidate, staleIfError } = given;
    const { ttl, ttlJitter } = lifeOptions(given, this.#terms);
    const life = new Life({ ttl, ttlJitter, staleWhileRevalidate, staleIfError });
    // One of its own for whatever is another computation: so that `clear` forgets what it should.
    const readable = `model ${JSON.stringify([name, version, scope === PUBLIC ? null : scope])} ${key.slice(0, 16)}`;
    const label = Buffer.byteLength(readable) <= LABEL_BYTES_MAX ? readable : `model ${key}`;
    const codec = resolveCodec(given['codec']);
    const answers = this.keyspace<unknown, unknown, unknown>(label, {
      codec,
      near: false, // fingerprints are bytes, which a near cache does not know again
      ttlJitter: 0, // drawn by `life`, for the fresh part alone
      ...(scope !== PUBLIC && { scope }),
    });
    const model = new Model<Input, unknown, unknown>({
      name,
      version,
      scope,
      codec,
      answers,
      flights: this.#flightsOf(label),
      namings,
      life,
      run: given.run as never,
      maxBatch: given.maxBatch ?? MAX_BATCH,
      concurrency: given.concurrency ?? Number.POSITIVE_INFINITY,
      windowMs: given.batchWindow ?? 0,
      negativeTtlMs: given.negativeTtl === undefined ? 0 : durationOption('options.negativeTtl', given.negativeTtl),
      timeoutMs: timeoutOption(given.timeout),
      keepInputs: keepInputsOption(given.keepInputs, this.stats().bytes.capacity),
      fingerprint: given.fingerprint,
      tags: given.tags,
      verify: given.verify,
      identity,
    });
    const models = this.#models;
    const reference = new WeakRef(model);
    models.add(reference);
    collected.register(model, () => models.delete(reference));
    return model;
  }

  /** Of the models with these answers: two of them do not compute the same. */
  #flightsOf(label: string): Map<string, Flight<never, unknown>> {
    let flights = this.#flights.get(label);
    if (flights === undefined) {
      flights = new Map();
      this.#flights.set(label, flights);
    }
    return flights;
  }

  /**
   * Forgets every entry of every keyspace, and gives the memory that no view shows back to the system. Counters stay.
   * Cost: one pass over the index.
   */
  override clear(): void {
    for (const model of this.#models) model.deref()?.outdateAll();
    native.clear(this.handle);
  }

  override stats(): CacheStats {
    return cacheStatsOf(native.stats(this.handle));
  }

  /**
   * Closes this handle and its keyspaces; the last handle of the process frees the entries. Views stay valid. Again: no
   * effect.
   */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    dropped.unregister(this);
    for (const keyspace of this.#keyspaces) keyspace.deref()?.shut();
    this.#keyspaces.clear();
    this.shut();
    stopMaintenance();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What native code calls a keyspace: a name of one scope is never that of another. Public names stay as they are. */
function nameIn(scope: string, name: string): string {
  return scope === '' && !name.startsWith('[') ? name : JSON.stringify([name, scope]);
}

/** A keyspace keeps its cache open, and is closed with it. */
class OpenKeyspace<In, Out, Own> extends Keyspace<In, Out, Own> {
  readonly cache: Cache;

  constructor(handle: number, codec: Codec<In, Out, Own>, terms: Terms, cache: Cache) {
    super(handle, codec, terms);
    this.cache = cache;
  }

  get nearAnswers(): { close(): void } | undefined {
    return this.nearCache;
  }

  override shut(): void {
    dropped.unregister(this);
    super.shut();
  }
}

/**
 * Opens a cache.
 *
 * @throws {TypeError | RangeError} an option of the wrong type, unknown, or out of range.
 * @throws {CacheError} `ERR_CACHE_OPTIONS`: the name is open with other options; `ERR_CACHE_NO_MEMORY`: the address space
 *   has no room for `maxBytes`, as with a low `ulimit -v`.
 * @example const cache = open({ maxBytes: '256MB' })
 */
export function open(options: OpenOptions = {}): Cache {
  const given = optionsObject('options', options, OPEN_OPTIONS);
  const name = given['name'] === undefined ? '' : textOption('options.name', given['name']);
  const maxBytes =
    given['maxBytes'] === undefined
      ? defaultMaxBytes()
      : sizeOption('options.maxBytes', given['maxBytes'], MAX_BYTES_MIN, MAX_BYTES_MAX);
  const verify = given['verify'] === undefined ? 'sample' : choiceOption('options.verify', given['verify'], VERIFY);
  const keeping = keepingOptions(given);
  const entries = given['maxEntries'];
  const maxEntries =
    entries === undefined
      ? Number.POSITIVE_INFINITY
      : limitOption('options.maxEntries', entries, 1, Number.MAX_SAFE_INTEGER);
  const life = lifeOptions(given, { ttl: Number.POSITIVE_INFINITY, ttlJitter: 0 });
  const blobs = new Blobs(given['blobs'] as BlobsOptions | undefined);
  reportHeap();
  const terms: Terms = { ...life, copy: false, near: true };
  return new Cache(name, maxBytes, VERIFY.indexOf(verify), maxEntries, keeping, terms, blobs);
}

/** By what is decided what stays. @internal */
export interface Keeping {
  readonly policy: Policy;
  readonly aging: boolean;
  readonly admission: boolean;
}

function keepingOptions(given: Record<string, unknown>): Keeping {
  const policy =
    given['policy'] === undefined ? POLICIES[0] : choiceOption('options.policy', given['policy'], POLICIES);
  const aging = given['aging'] === undefined ? false : booleanOption('options.aging', given['aging']);
  if (aging && policy !== 'score') {
    throw new RangeError("options.aging: expected policy 'score' with it, received 'learned', which ages by itself");
  }
  const admission =
    given['admission'] === undefined ? policy === 'score' : booleanOption('options.admission', given['admission']);
  return { policy, aging, admission };
}

/** How long values last, as options say, or else as `otherwise` does. */
function lifeOptions(
  given: Record<string, unknown>,
  otherwise: Pick<Terms, 'ttl' | 'ttlJitter'>,
): Pick<Terms, 'ttl' | 'ttlJitter'> {
  const { ttl, ttlJitter } = given;
  return {
    ttl: ttl === undefined ? otherwise.ttl : durationOption('options.ttl', ttl),
    ttlJitter: ttlJitter === undefined ? otherwise.ttlJitter : shareOption('options.ttlJitter', ttlJitter),
  };
}

/** A quarter of the memory this process may use, in bytes: the default of `maxBytes`. */
export function defaultMaxBytes(): number {
  const share = native.environment().memoryLimitBytes * DEFAULT_SHARE;
  return Math.max(MAX_BYTES_MIN, Math.min(MAX_BYTES_MAX, Math.floor(share)));
}

brand(Cache.prototype, 'Cache');
