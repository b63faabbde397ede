// attach.ts: gives every cache `model` and `pipeline`.

import { whenCollected } from '../base/collected.js';
import { type DurationText, durationOption, optionsObject, textOption, typeError } from '../base/options.js';
import { Cache, nameIn } from '../cache/cache.js';
import { resolveCodec } from '../cache/codecs.js';
import { lifetimeOptions } from '../cache/options.js';
import { addMethods } from '../cache/rooms.js';
import { type ComputationIdentity, type FingerprintOptions, PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprint } from '../fingerprint/native.js';
import { behindOf, modelRoomOptions } from './behind.js';
import { type Naming, namingOf } from './finder.js';
import { Life } from './freshness.js';
import { FlightsOf } from './late.js';
import { LEDGER, Ledger, type LedgerSnapshot, snapshotOf } from './ledger.js';
import { Model } from './model.js';
import {
  type CustomModelOptions,
  checkModelOptions,
  fingerprintOption,
  keepInputsOption,
  lateResultsOption,
  MODEL_OPTIONS,
  type ModelBaseOptions,
  type ModelOptions,
  PIPELINE_OPTIONS,
  type PipelineOptions,
  runOption,
  timeoutOption,
} from './options.js';
import {
  type Chained,
  chain,
  checkScopes,
  checkStages,
  type First,
  type GivenBy,
  type InputOf,
  type Last,
  pipelineNaming,
  type Stage,
  type TakenBy,
} from './pipeline.js';
import { UnderWay } from './under-way.js';
import { verifyOption } from './verification.js';

declare module '../cache/cache.js' {
  interface Cache {
    /**
     * A model whose results are kept. Its inputs are strings, unless the parameter of `run` says another type.
     *
     * A stored result is not computed again. A result that is being computed is
     * computed once, however many callers ask. All other inputs reach `run` in batches. Each version, and each set of
     * parameters, has a keyspace of its own. The time that `run` takes is the entries' `cost`.
     *
     * @throws {TypeError | RangeError} an option is missing or wrong; or `params.temperature` is above 0, and there is
     *   neither `params.seed` nor `replicas`.
     * @throws {CacheError} as {@link keyspace}.
     * @example const embed = cache.model({ name: 'encoder', version: '2', scope: PUBLIC, codec: float32(1024), run })
     */
    model<Input = string, In = unknown, Out = unknown, Own = unknown, Text extends string = DurationText>(
      options: ModelOptions<Input, In, Out, Own, Text>,
    ): Model<Input, In, Out>;
    model<Input = string, T = unknown, Text extends string = DurationText>(
      options: CustomModelOptions<Input, T, Text>,
    ): Model<Input, T, T>;

    /**
     * Models one after another: each takes what the one before it gives. The result of the whole pipeline is stored
     * under a compound fingerprint, `pipelineFingerprint` of the stages, and the result of each stage under its own.
     * When one stage changes, those before it are answered from the cache. Clearing a stage does not clear the
     * pipeline.
     *
     * @param options those of a model, without `version`, `codec` and `run`, which follow from the stages.
     * @throws {TypeError | RangeError} there is no stage; a stage is not a model, or is another tenant's; an option is
     *   missing or wrong.
     * @example const search = cache.pipeline([embed, classify, rank], { name: 'search', scope: PUBLIC })
     */
    pipeline<const Stages extends readonly Stage[], Text extends string = DurationText>(
      stages: Stages & Chained<Stages>,
      options: PipelineOptions<InputOf<First<Stages>>, Text>,
    ): Model<InputOf<First<Stages>>, TakenBy<Last<Stages>>, GivenBy<Last<Stages>>>;

    /** Of all models, also those that are collected. It still answers when the cache is closed. */
    [LEDGER](): LedgerSnapshot;
  }
}

/** Inputs of one run of a model. */
const MAX_BATCH = 1024;

/** A model's options, as they were given, each read once. */
type GivenModel<Input> = ModelBaseOptions<Input> & { codec: unknown } & Record<string, unknown>;

/** What distinguishes a model from others. */
interface Identity {
  /** A digest of everything but the input that decides its results. */
  readonly key: string;
  /** How each replica's keys are made. */
  readonly namings: readonly Naming[];
  /**
   * What identifies it as a stage of a pipeline. It has a digest of the parameters: the caller may change the object.
   */
  readonly identity: unknown;
  /** Which parts of inputs and parameters count. */
  readonly rules: FingerprintOptions;
}

function model<Input>(
  this: Cache,
  options: ModelBaseOptions<Input> & { codec: unknown },
): Model<Input, unknown, unknown> {
  const given = optionsObject('options', options, [
    ...MODEL_OPTIONS,
    ...modelRoomOptions(),
  ]) as unknown as GivenModel<Input>;
  checkModelOptions(given);
  const name = textOption('options.name', given['name'], 255, 1);
  const version = textOption('options.version', given['version'], 255, 1);
  const { scope, domain, params, replicas } = given;
  const rules = fingerprintOption(given.fingerprint);
  const computation: ComputationIdentity = { scope, domain: domain ?? '', model: { name, version }, params };
  const of = (replica: number): ComputationIdentity =>
    replica === 0 ? computation : { ...computation, model: { name, version, replica } };
  const key = fingerprint({ ...computation, input: null }, rules).hex;
  return modelsOf(this).make(given, {
    key,
    namings: Array.from({ length: replicas ?? 1 }, (_, replica) => namingOf(of(replica), rules)),
    identity: { name, version, domain: domain ?? '', params: params === undefined ? undefined : key },
    rules,
  });
}

function pipeline(this: Cache, stages: readonly Stage[], options: object): Stage {
  const asked = optionsObject('options', options, [
    ...PIPELINE_OPTIONS,
    ...modelRoomOptions(),
  ]) as unknown as GivenModel<unknown>;
  const all = checkStages(stages);
  const given = Object.assign(asked, { codec: all.at(-1)!.codec, run: chain(all) });
  checkModelOptions(given);
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
  const rules = fingerprintOption(given.fingerprint);
  const { naming, digest } = pipelineNaming(compound, rules);
  const identity = {
    pipeline: name,
    domain: domain ?? '',
    models,
    params: params === undefined ? undefined : digest,
  };
  const made = Object.assign(given, { version: digest.slice(0, 16) });
  return modelsOf(this).make(made, { key: digest, namings: [naming], identity, rules });
}

addMethods(Cache.prototype, { model, pipeline });
Object.defineProperty(Cache.prototype, LEDGER, {
  value(this: Cache) {
    return snapshotOf(modelsOf(this).ledgers);
  },
});

/** The models of one cache. */
class Models {
  readonly #cache: Cache;
  readonly #models = new Set<WeakRef<{ outdateAll(): void }>>();
  /** By keyspace. What one model of a keyspace computes, another one does not compute again. */
  readonly #flights = new Map<string, FlightsOf<never, unknown>>();
  readonly #underWay = new UnderWay('the cache');

  /** By keyspace: a model that is made again goes on with it. A cache has 1 023 keyspaces at most. */
  readonly #ledgers = new Map<string, Ledger>();

  constructor(cache: Cache) {
    this.#cache = cache;
    cache.onClear(() => {
      for (const model of this.#models) model.deref()?.outdateAll();
    });
    cache.onDrain((ms) => this.#underWay.drain(ms));
    cache.onClose(() => this.#underWay.close());
  }

  make<Input>(given: GivenModel<Input>, { key, namings, identity, rules }: Identity): Model<Input, unknown, unknown> {
    const { name, version, scope, staleWhileRevalidate, staleIfError } = given;
    const runs = runOption<Input>(given);
    const verify = verifyOption('options.verify', given.verify, given.replicas);
    const { ttl, ttlJitter } = lifetimeOptions(given, this.#cache.lifetime);
    const life = new Life({ ttl, ttlJitter, staleWhileRevalidate, staleIfError });
    // Each computation has a keyspace of its own, so that `clear` forgets just its results.
    // native/resp/model_keyspaces.h and lib/observe/labels.ts read the name of the model in it.
    const label = `model ${JSON.stringify([name, version, scope === PUBLIC ? null : scope])} ${key.slice(0, 16)}`;
    const codec = resolveCodec(given['codec']);
    const makeBehind = behindOf(given);
    if (makeBehind !== undefined && given.tags !== undefined)
      throw typeError('options.tags', 'no tags, because an upstream has none', given.tags);
    const scopeName = scope === PUBLIC ? '' : scope;
    const answers = this.#cache.keyspace<unknown, unknown, unknown>(label, {
      codec,
      near: false, // fingerprints are bytes, and a near cache keeps no such keys
      ttlJitter: 0, // `life` draws it, for the fresh part alone
      ...(scope !== PUBLIC && { scope }),
    });
    const model = new Model<Input, unknown, unknown>({
      name,
      version,
      scope,
      codec,
      answers,
      behind: makeBehind?.({
        cache: this.#cache,
        nativeName: nameIn(scopeName, label),
        name,
        scope: scopeName,
        codec,
        ttlMs: life.longest,
      }),
      flights: this.#flightsOf(label),
      underWay: new UnderWay(`model ${name}`, this.#underWay),
      namings,
      life,
      ...runs,
      maxBatch: runs.isOne ? 1 : (given.maxBatch ?? MAX_BATCH),
      concurrency: given.concurrency ?? Number.POSITIVE_INFINITY,
      windowMs: given.batchWindow ?? 0,
      negativeTtlMs: given.negativeTtl === undefined ? 0 : durationOption('options.negativeTtl', given.negativeTtl),
      timeoutMs: timeoutOption(given.timeout),
      storesLate: lateResultsOption(given),
      keepInputs: keepInputsOption(given.keepInputs, this.#cache.stats().bytes.capacity),
      rules,
      tags: given.tags,
      ledger: this.ledgerOf(label, name, version),
      usage: given['usage'] as never,
      verify,
      identity,
    });
    const models = this.#models;
    const reference = new WeakRef(model);
    models.add(reference);
    collected.register(model, () => models.delete(reference));
    return model;
  }

  get ledgers(): Iterable<Ledger> {
    return this.#ledgers.values();
  }

  ledgerOf(label: string, name: string, version: string): Ledger {
    let ledger = this.#ledgers.get(label);
    if (ledger === undefined) {
      ledger = new Ledger(name, version);
      this.#ledgers.set(label, ledger);
    }
    return ledger;
  }

  #flightsOf(label: string): FlightsOf<never, unknown> {
    let flights = this.#flights.get(label);
    if (flights === undefined) {
      flights = new FlightsOf();
      this.#flights.set(label, flights);
    }
    return flights;
  }
}

const all = new WeakMap<Cache, Models>();

function modelsOf(cache: Cache): Models {
  let models = all.get(cache);
  if (models === undefined) {
    models = new Models(cache);
    all.set(cache, models);
  }
  return models;
}

/** Of all models of a cache, also of those that were collected. @internal */
export function ledgersOf(cache: Cache): Iterable<Ledger> {
  return all.get(cache)?.ledgers ?? [];
}

/** The ledger of what is no model and has results that cost something; of one label there is one. @internal */
export function ledgerFor(cache: Cache, label: string, name: string, version: string): Ledger {
  return modelsOf(cache).ledgerOf(label, name, version);
}

// Removes what belongs to a model that was collected.
const collected = whenCollected<() => void>((forget) => forget());
