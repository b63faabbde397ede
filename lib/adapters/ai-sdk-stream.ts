// ai-sdk-stream.ts: keeps streams of the AI SDK's language models, with all parts in order. A caller who asks while a
// stream is under way joins it, and reads at its own pace.

import { CacheError } from '../base/errors.js';
import { now } from '../base/time.js';
import type { ReadonlyUint8Array } from '../base/views.js';
import type { Cache } from '../cache/cache.js';
import { bytes } from '../cache/codecs.js';
import type { Keyspace } from '../cache/keyspace.js';
import { PUBLIC, type Scope } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { ledgerFor } from '../model/attach.js';
import { usageOf as checkedUsage, type Ledger } from '../model/ledger.js';
import { joins, looks } from '../model/options.js';
import { type Answer, Assembly, isFailed } from './ai-sdk-answers.js';
import { type CallParams, type ModelId, versionOf } from './ai-sdk-calls.js';
import type { CheckedCallOptions } from './calls.js';
import { type CheckedAdapterOptions, keyspaceOf } from './options.js';
import { pack, unpack } from './packed.js';
import { Recording, replayed, type Streamed } from './recording.js';
import { answerIn, usageIn, withUsage } from './usage.js';

const NAME = 'ai-sdk stream';

interface Streamer extends ModelId {
  doStream(params: CallParams): PromiseLike<Streamed>;
}

/** A stream under way, and the tags by which it is forgotten. */
interface UnderWay {
  readonly recording: Recording;
  readonly tags: readonly string[];
  /** Callers beside the first one. */
  joined: number;
}

/** Streams under way, by key. All middlewares of one cache and scope share them, as they share kept answers. */
const everywhere = new WeakMap<Cache, Map<Scope, Map<string, UnderWay>>>();

function underWayIn({ cache, scope }: CheckedAdapterOptions): Map<string, UnderWay> {
  let scopes = everywhere.get(cache);
  if (scopes === undefined) {
    const made = new Map<Scope, Map<string, UnderWay>>();
    // A stream that is cleared is not kept when it ends. Its readers read on.
    cache.onClear(() => {
      for (const underWay of made.values()) underWay.clear();
    });
    everywhere.set(cache, made);
    scopes = made;
  }
  let underWay = scopes.get(scope);
  if (underWay === undefined) {
    underWay = new Map();
    scopes.set(scope, underWay);
  }
  return underWay;
}

export class Streams {
  readonly #options: CheckedAdapterOptions;
  readonly #keeps: (answer: Answer) => boolean;
  readonly #answers: Keyspace<ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array>;
  readonly #underWay: Map<string, UnderWay>;

  constructor(options: CheckedAdapterOptions, keeps: (answer: Answer) => boolean) {
    const space = keyspaceOf(NAME, options.scope);
    this.#options = options;
    this.#keeps = keeps;
    this.#underWay = underWayIn(options);
    this.#answers = options.cache.keyspace(space.label, { codec: bytes, ...space.options });
  }

  async answer(
    name: string,
    model: Streamer,
    params: CallParams,
    { mode, tags }: CheckedCallOptions,
  ): Promise<unknown> {
    const { abortSignal } = params;
    abortSignal?.throwIfAborted();
    const { scope, domain } = this.#options;
    const key = fingerprinter({ scope, domain, model: [NAME, model.provider, model.modelId] }).of(name);
    const ledger = this.#ledgerOf(model);
    const known = looks(mode) ? this.#find(key, ledger) : undefined;
    if (known !== undefined) {
      if (mode === 'only-if-cached') ledger.now.otherHits++;
      else {
        ledger.countHit(this.#answers.costOf(key));
        ledger.countTokens('hit', checkedUsage(usageIn(known)));
      }
      return { stream: replayed(unpack(answerIn(known)) as Uint8Array[], abortSignal) };
    }
    if (mode === 'only-if-cached')
      throw new CacheError('ERR_MODEL_NOT_CACHED', "no stream is kept for a call, and cache is 'only-if-cached'");
    const underWay = joins(mode) ? this.#underWay.get(key.hex) : undefined;
    if (underWay !== undefined) underWay.joined++;
    // Async, so that the promise rejects if the model throws.
    const open = async (signal: AbortSignal) => model.doStream({ ...params, abortSignal: signal });
    return (underWay?.recording ?? this.#record(key, tags, ledger, open)).join(abortSignal);
  }

  /** Some lookups are timed, as those of models are. */
  #find(key: Uint8Array, ledger: Ledger): ReadonlyUint8Array | undefined {
    if (!ledger.times()) return this.#answers.get(key);
    const begun = now();
    const known = this.#answers.get(key);
    ledger.timed(now() - begun);
    return known;
  }

  #ledgerOf(model: ModelId): Ledger {
    const { cache, scope } = this.#options;
    const version = versionOf(model);
    return ledgerFor(cache, JSON.stringify([NAME, scope === PUBLIC ? null : scope, version]), NAME, version);
  }

  /** Forgets streams under way too. They go on for their readers. */
  forget(tag: string): number {
    for (const [id, { tags }] of this.#underWay) if (tags.includes(tag)) this.#underWay.delete(id);
    return this.#answers.deleteByTag(tag);
  }

  #record(
    key: Uint8Array & { hex: string },
    tags: readonly string[],
    ledger: Ledger,
    open: (signal: AbortSignal) => PromiseLike<Streamed>,
  ): Recording {
    const assembly = new Assembly();
    const recording = new Recording(open, {
      take: (part) => assembly.take(part),
      isKept: () => assembly.answer !== undefined && !isFailed(assembly.answer) && this.#keeps(assembly.answer),
      settled: (parts, waitedMs) => {
        const usage = checkedUsage(assembly.usage);
        ledger.count('asked', waitedMs, usage);
        if (parts !== undefined) ledger.count('coalesced', waitedMs, usage, underWay.joined);
        if (this.#underWay.get(key.hex)?.recording !== recording) return; // it was forgotten, or asked for anew
        this.#underWay.delete(key.hex);
        const packed = parts && pack(parts);
        if (packed === undefined) return;
        try {
          this.#answers.set(key, withUsage(packed, assembly.usage), { cost: waitedMs, tags, ...this.#options.life });
        } catch {
          // It is too large for the cache, or the cache was closed. The readers of the stream have it.
        }
      },
    });
    const underWay: UnderWay = { recording, tags, joined: 0 };
    this.#underWay.set(key.hex, underWay);
    return recording;
  }
}
