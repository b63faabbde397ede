// ai-sdk-calls.ts: what a call of the AI SDK is kept by: a name for all that counts of its parameters, asked of a
// model of ours that stands for provider and model id.

import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { nameable } from './nameable.js';

/** What of a call is looked at; all its other members count for the fingerprint. */
export interface CallParams {
  abortSignal?: AbortSignal | undefined;
  headers?: object | undefined;
}

/** What the SDK says of a model. */
export interface ModelId {
  readonly provider: string;
  readonly modelId: string;
}

/** Things at hand; beyond that the oldest is made again when it is used. */
const MADE_MAX = 256;

/** Names parameters of a call; whose they are, and of which model, is said by the model they are asked of. */
const paramsNamer = fingerprinter({ scope: PUBLIC, model: 'zerohop/ai-sdk parameters' });

/** Headers that say who asks. */
const CREDENTIALS =
  /authorization$|^cookie$|(^|[-_])(auth|key|secret|jwt|password|credentials?)$|(api|access|auth|secret)-?key$|token$/i;
/** Headers with such names that differ from call to call, and change no answer. So do others, such as a trace's id. */
const OF_ONE_CALL = /(^|[-_])(idempotency|idempotent|trace|correlation|cache)[-_]?(key|token)$/i;

/** Characters of a name. @internal */
export const NAME_LENGTH = 64;

/** Things by name, each made when it is first asked for. @internal */
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

/** What counts of the parameters, in one word of fixed length; undefined if it has none. @internal */
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

/** Of an object, or of an instance of Headers, of any realm. */
function entriesOf(headers: object = {}): [string, unknown][] {
  const { entries } = headers as { entries?: unknown };
  return typeof entries === 'function' ? [...entries.call(headers)] : Object.entries(headers);
}

/** As options of a model of ours. @internal */
export function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
