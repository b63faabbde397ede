// experiment.ts: two versions side by side: which callers get which, how each performs, and how often they agree.

import { optionsObject, rangeError, typeError } from '../base/options.js';
import { now } from '../base/time.js';
import type { OrView } from '../base/views.js';
import { type Fingerprinter, PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { isModel, type Model } from './model.js';
import type { PredictOptions } from './options.js';
import { agree, type Comparison, comparisonOption } from './verification.js';

export interface ExperimentOptions<Input, In, Out> {
  /** The version in use, and the one that is tried: two models with the same codec and scope. */
  a: Model<Input, In, Out>;
  b: Model<Input, In, Out>;
  /** The share of callers that get `b`, 0 to 1. Default 0.5. */
  share?: number | undefined;
  /** Who asks, such as a user's id: the same one gets the same arm. Default: the input decides. */
  unitOf?: ((input: Input) => unknown) | undefined;
  /** The share of predictions for which the other arm is asked too, in the background. Default 0. */
  compareShare?: number | undefined;
  /** When two results agree. Default `'bitwise'`. */
  compare?: Comparison<never> | undefined;
}

export interface ArmStats {
  version: string;
  predictions: number;
  failed: number;
  /** Of this experiment's predictions, those that were answered without a run. */
  hits: number;
  hitRatio: number;
  /** ms from the call to the result, of the last 1 024 predictions; NaN before the first. */
  latency: { mean: number; p50: number; p95: number };
}

export interface ExperimentStats {
  a: ArmStats;
  b: ArmStats;
  /** Of the predictions for which both arms were asked. */
  agreement: { compared: number; agreed: number; rate: number };
}

const OPTIONS = ['a', 'b', 'share', 'unitOf', 'compareShare', 'compare'] as const;
const LATENCIES = 1024;

class Arm<Input, In, Out> {
  readonly #latencies: number[] = [];
  #predictions = 0;
  #failed = 0;
  #hits = 0;

  constructor(readonly model: Model<Input, In, Out>) {}

  async predict(input: Input, options: PredictOptions | undefined): Promise<In | Out> {
    const at = this.#predictions++ % LATENCIES;
    const begun = now();
    // A hit is counted before the first await. So no other call of this model is counted as this one.
    const { hits } = this.model;
    const result = this.model.predictTold(input, options, () => this.#hits++);
    this.#hits += this.model.hits - hits;
    try {
      return await result;
    } catch (reason) {
      this.#failed++;
      throw reason;
    } finally {
      this.#latencies[at] = now() - begun;
    }
  }

  stats(): ArmStats {
    const sorted = [...this.#latencies].sort((x, y) => x - y);
    const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
    const predictions = this.#predictions;
    return {
      version: this.model.version,
      predictions,
      failed: this.#failed,
      hits: this.#hits,
      hitRatio: predictions === 0 ? 0 : this.#hits / predictions,
      latency: {
        mean: sorted.length === 0 ? Number.NaN : sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
        p50: quantile(0.5),
        p95: quantile(0.95),
      },
    };
  }
}

/** Two versions of a model, each with results of its own. Made by {@link experiment}. */
export class Experiment<Input, In, Out> {
  readonly #a: Arm<Input, In, Out>;
  readonly #b: Arm<Input, In, Out>;
  readonly #share: number;
  readonly #unitOf: (input: Input) => unknown;
  readonly #compareShare: number;
  readonly #compare: Comparison<never>;
  readonly #namer: Fingerprinter;
  #compared = 0;
  #agreed = 0;

  /** @internal */
  constructor({ a, b, share, unitOf, compareShare, compare }: ExperimentOptions<Input, In, Out>) {
    this.#a = new Arm(a);
    this.#b = new Arm(b);
    this.#share = share ?? 0.5;
    this.#unitOf = unitOf ?? ((input) => input);
    this.#compareShare = compareShare ?? 0;
    this.#compare = compare ?? 'bitwise';
    // The hash has both versions in it, so a caller who gets b here is no more likely to get b in another experiment.
    const of = ({ name, version }: Model<Input, In, Out>) => [name, version];
    this.#namer = fingerprinter({ scope: PUBLIC, model: ['experiment', of(a), of(b)] });
  }

  /** Which arm the caller of an input gets. It stays the same as long as `share` and the two versions do. */
  armOf(input: OrView<Input>): 'a' | 'b' {
    const [first, second, third, fourth] = this.#namer.of(this.#unitOf(input as Input));
    const place = first! * 2 ** 24 + second! * 2 ** 16 + third! * 2 ** 8 + fourth!;
    return place < this.#share * 2 ** 32 ? 'b' : 'a';
  }

  /** The result of the caller's arm. Rejects as that model's `predict`. */
  async predict(input: OrView<Input>, options?: PredictOptions): Promise<In | Out> {
    const [own, other] = this.armOf(input) === 'a' ? [this.#a, this.#b] : [this.#b, this.#a];
    const result = own.predict(input as Input, options);
    if (Math.random() < this.#compareShare) this.#agreement(own.model, result, other.model.predict(input));
    return result;
  }

  stats(): ExperimentStats {
    const [compared, agreed] = [this.#compared, this.#agreed];
    return {
      a: this.#a.stats(),
      b: this.#b.stats(),
      agreement: { compared, agreed, rate: compared === 0 ? Number.NaN : agreed / compared },
    };
  }

  #agreement(model: Model<Input, In, Out>, result: Promise<In | Out>, other: Promise<In | Out>): void {
    Promise.all([result, other]).then(
      ([own, others]) => {
        this.#agreed += agree(this.#compare, model.codec, own as In, others as In) ? 1 : 0;
        this.#compared++;
      },
      () => {}, // one of them failed: nothing to compare
    );
  }
}

/**
 * Tries a version of a model beside another one, and reports hit ratio, latency and agreement of both. Their results
 * never mix.
 *
 * @throws {TypeError | RangeError} an option is missing or wrong; the models are the same; or their codecs or scopes
 *   differ.
 * @example const trial = experiment({ a: v1, b: v2, share: 0.1, unitOf: ({ user }) => user })
 */
export function experiment<Input, In, Out>(options: ExperimentOptions<Input, In, Out>): Experiment<Input, In, Out> {
  const given = optionsObject('options', options, OPTIONS);
  const { a, b, share, unitOf, compareShare, compare } = given;
  if (!isModel(a)) throw typeError('options.a', 'a model', a);
  if (!isModel(b) || (b as unknown) === a) throw typeError('options.b', 'another model', b);
  if (a.scope !== b.scope) throw rangeError('options.b', 'a model with the scope of options.a', b);
  if (a.codec.tag !== b.codec.tag) throw rangeError('options.b', `a model with the codec ${a.codec.tag}`, b.codec.tag);
  for (const [name, value] of Object.entries({ share, compareShare })) {
    if (value === undefined) continue;
    if (typeof value !== 'number') throw typeError(`options.${name}`, 'a number', value);
    if (!(value >= 0 && value <= 1)) throw rangeError(`options.${name}`, '0 to 1', value);
  }
  if (unitOf !== undefined && typeof unitOf !== 'function')
    throw typeError('options.unitOf', 'a function of an input', unitOf);
  if (compare !== undefined) given['compare'] = comparisonOption('options.compare', compare);
  return new Experiment(given as unknown as ExperimentOptions<Input, In, Out>);
}
