// ai-sdk-calls.ts: the key of a call of the AI SDK. Its parameters have a name, which is the input of one of our
// models. Each of our models stands for a provider and a model id.

import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { nameable } from './nameable.js';

/** The members of a call that are read. All its other members count for the fingerprint. */
export interface CallParams {
  abortSignal?: AbortSignal | undefined;
  headers?: object | undefined;
}

/** What the SDK says about a model. */
export interface ModelId {
  readonly provider: string;
  readonly modelId: string;
}

/** How many things are kept. The oldest one beyond that is made anew when it is used again. */
const MADE_MAX = 256;

/** Names the parameters of a call. Scope and model are not in the name: our model has them. */
const paramsNamer = fingerprinter({ scope: PUBLIC, model: 'zerohop/ai-sdk parameters' });

/** Headers that say who calls. */
const CREDENTIALS =
  /authorization$|^cookie$|(^|[-_])(auth|key|secret|jwt|password|credentials?)$|(api|access|auth|secret)-?key$|token$/i;
/**
 * Those of them that differ from call to call and change no answer. They do not count, as the id of a trace does not.
 */
const OF_ONE_CALL = /(^|[-_])(idempotency|idempotent|trace|correlation|cache)[-_]?(key|token)$/i;

/** Characters of a name. @internal */
export const NAME_LENGTH = 64;

/** Things by name. Each is made when it is first asked for. @internal */
export class Made<T> {
  readonly #made = new Map<string, T>();

  of(name: string, make: () => T): T {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(name, made);
    if (this.#made.size > MADE_MAX) this.#made.delete(this.#made.keys().next().value!);
    return made;
  }
}

/** Provider and model id in one text. @internal */
export function versionOf({ provider, modelId }: ModelId): string {
  return JSON.stringify([provider, modelId]);
}

/** A name of fixed length for the parameters that count; undefined if they have no fingerprint. @internal */
export function nameOf({ abortSignal: _, headers, ...params }: CallParams): string | undefined {
  try {
    return paramsNamer.of(nameable([params, credentialsOf(headers)])).hex;
  } catch {
    return undefined;
  }
}

function credentialsOf(headers: object | undefined): object {
  const credentials = entriesOf(headers).filter(([name]) => CREDENTIALS.test(name) && !OF_ONE_CALL.test(name));
  return Object.fromEntries(credentials.map(([name, value]) => [name.toLowerCase(), value]));
}

/** The headers of an object, or of an instance of Headers of any realm. */
function entriesOf(headers: object = {}): [string, unknown][] {
  const { entries } = headers as { entries?: unknown };
  return typeof entries === 'function' ? [...entries.call(headers)] : Object.entries(headers);
}

/** The options of a call, as options of one of our models. @internal */
export function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
