// pipeline.ts: models one after another. Each stage keeps its results, and the pipeline keeps its own. When one model
// changes, the results of the stages before it are still known.

import { isError } from '../base/kinds.js';
import { rangeError, typeError } from '../base/options.js';
import type { OrView } from '../base/views.js';
import type { FingerprintOptions, Scope } from '../fingerprint/fingerprint.js';
import { createFingerprinting, PUBLIC } from '../fingerprint/fingerprint.js';
import { nativeHasher } from '../fingerprint/native-hasher.js';
import type { Naming } from './finder.js';
import { askedInputs } from './flights.js';
import { isModel, type Model } from './model.js';
import type { RunContext } from './options.js';
import { result } from './results.js';

/** A stage: a model that takes what the one before it gives. */
// biome-ignore lint/suspicious/noExplicitAny: each stage has types of its own
export type Stage = Model<any, any, any>;

/** What a stage is asked. */
export type InputOf<S> = S extends Model<infer Input, infer _In, infer _Out> ? Input : never;
/** What its codec takes. */
export type TakenBy<S> = S extends Model<infer _Input, infer In, infer _Out> ? In : never;
/** What its codec gives. */
export type GivenBy<S> = S extends Model<infer _Input, infer _In, infer Out> ? Out : never;

export type First<Stages extends readonly Stage[]> = Stages extends readonly [infer S, ...unknown[]]
  ? S
  : Stages[number];
export type Last<Stages extends readonly Stage[]> = Stages extends readonly [...unknown[], infer S]
  ? S
  : Stages[number];

/** The stages, if each takes what the one before it gives. If one does not, the type says what it would have to take. */
export type Chained<Stages extends readonly Stage[]> = Stages extends readonly [
  infer A extends Stage,
  infer B extends Stage,
  ...infer Rest extends readonly Stage[],
]
  ? Fits<TakenBy<A> | GivenBy<A>, InputOf<B>> extends true
    ? readonly [A, ...Chained<readonly [B, ...Rest]>]
    : readonly [A, Model<TakenBy<A> | GivenBy<A>, TakenBy<B>, GivenBy<B>>, ...Rest]
  : Stages;

/** Whether a model that takes `Input` takes the results of another one. A run gets copies, so views will do. */
type Fits<Result, Input> = unknown extends Result ? true : [Result] extends [OrView<Input>] ? true : false;

/** @internal */
export function checkStages(stages: unknown): readonly Stage[] {
  if (!Array.isArray(stages)) throw typeError('stages', 'an array of models', stages);
  if (stages.length === 0) throw rangeError('stages', 'one model at least', stages);
  for (const [i, stage] of stages.entries())
    if (!isModel(stage)) throw typeError(`stages[${i}]`, 'a model', stage);
    else if (stage.replicas > 1)
      throw rangeError(`stages[${i}]`, 'a model without replicas: one draw would be served to all', stage.replicas);
  return stages;
}

/**
 * Checks scopes. A stage must be public, or the pipeline's own tenant's: another tenant's results are not given away.
 * @internal
 */
export function checkScopes(stages: readonly Stage[], scope: Scope): void {
  for (const [i, stage] of stages.entries())
    if (stage.scope !== PUBLIC && stage.scope !== scope)
      throw rangeError(`stages[${i}].scope`, 'PUBLIC or the scope of the pipeline', stage);
}

/** Everything on which the results of a pipeline depend. @internal */
export function pipelineNaming(
  identity: { scope: Scope; domain: string; pipeline: string; models: readonly unknown[]; params: unknown },
  options: FingerprintOptions | undefined,
): { naming: Naming; digest: string } {
  const naming: Naming = (hasher) => createFingerprinting(hasher).pipelineFingerprinter(identity, options);
  return { naming, digest: naming(nativeHasher).of(null).hex };
}

/** Runs the stages in turn. Inputs that have not failed go on together; the others give their errors. @internal */
export function chain(stages: readonly Stage[]) {
  return async (inputs: unknown[], { signal }: RunContext): Promise<readonly unknown[]> => {
    const results = [...inputs];
    const asked = askedInputs.get(signal);
    for (const stage of stages) {
      const places = results.flatMap((one, i) => (isError(one) ? [] : [i]));
      const settled = await stage.settleMany(
        places.map((i) => results[i]),
        { signal },
        asked && places.map((i) => asked[i]!),
      );
      for (const [n, one] of settled.entries())
        results[places[n]!] = one.status === 'fulfilled' ? one.value : errorOf(stage, one.reason);
    }
    return results.map((one) => (isError(one) ? one : result(one))); // whatever form it has, it is a result
  };
}

/** Makes an Error of whatever was thrown, because only an Error can be told from a result. */
function errorOf({ name }: Stage, reason: unknown): Error {
  return isError(reason) ? reason : new Error(`${name} failed`, { cause: reason });
}
