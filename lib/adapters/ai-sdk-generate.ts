// ai-sdk-generate.ts: whole answers of the AI SDK's language models. Equal calls at one time are one call of the model.

import type { ReadonlyUint8Array } from '../base/views.js';
import { bytes } from '../cache/codecs.js';
import type { Model } from '../model/model.js';
import { type Answer, answerOf, isFailed, usageOf, withoutTransport } from './ai-sdk-answers.js';
import { type CallParams, Made, type ModelId, signalOf, versionOf } from './ai-sdk-calls.js';
import type { CheckedCallOptions } from './calls.js';
import { type CheckedAdapterOptions, modelOptions } from './options.js';
import { copied, pack, unpack } from './packed.js';
import { answerIn, usageIn, withUsage } from './usage.js';

type Generating = Model<string, ReadonlyUint8Array, ReadonlyUint8Array>;

interface Generator extends ModelId {
  doGenerate(params: CallParams): PromiseLike<object>;
}

interface Caller {
  readonly model: Generator;
  readonly params: CallParams;
  readonly tags: readonly string[];
  result?: object;
}

/** A result that is given, as a copy to each waiting caller, but not kept. */
class Unkept {
  constructor(readonly result: object) {}
}

export class Generated {
  readonly #options: CheckedAdapterOptions;
  readonly #keeps: (answer: Answer) => boolean;
  readonly #models = new Made<Generating>();
  /** The models that were asked. `#models` drops the oldest ones. */
  readonly #versions = new Set<string>();
  #caller: Caller | undefined; // predict starts its run before it returns, because each run is of one call

  constructor(options: CheckedAdapterOptions, keeps: (answer: Answer) => boolean) {
    this.#options = options;
    this.#keeps = keeps;
  }

  async answer(
    name: string,
    model: Generator,
    params: CallParams,
    { mode, tags }: CheckedCallOptions,
  ): Promise<unknown> {
    const version = versionOf(model);
    this.#versions.add(version);
    const own: Caller = { model, params, tags };
    this.#caller = own;
    const predicted = this.#modelOf(version).predict(name, { ...signalOf(params.abortSignal), cache: mode });
    this.#caller = undefined;
    try {
      const packed = await predicted;
      return own.result ?? unpack(answerIn(packed));
    } catch (reason) {
      if (reason instanceof Unkept) return copied(reason.result);
      if (own.result !== undefined) return own.result; // there is a result, but it could not be stored
      throw reason;
    }
  }

  forget(tag: string): number {
    return [...this.#versions].reduce((count, version) => count + this.#modelOf(version).invalidateByTag(tag), 0);
  }

  #modelOf(version: string): Generating {
    return this.#models.of(version, () =>
      this.#options.cache.model({
        ...modelOptions(this.#options, 'ai-sdk generate', version),
        maxBatch: 1,
        codec: bytes,
        usage: usageIn,
        tags: () => this.#caller?.tags ?? [],
        run: (_: string[], { signal }) => this.#run(this.#caller!, signal),
      }),
    );
  }

  async #run(own: Caller, signal: AbortSignal): Promise<Uint8Array[]> {
    const result = await own.model.doGenerate({ ...own.params, abortSignal: signal });
    const answer = answerOf(result);
    const packed = !isFailed(answer) && this.#keeps(answer) ? pack(withoutTransport(result)) : undefined;
    if (packed === undefined) throw new Unkept(result);
    own.result = result;
    return [withUsage(packed, usageOf(result))];
  }
}
