// ai-sdk-calls.ts: what a call of the AI SDK is kept by: a name for all that counts of its parameters, asked of a model of
// ours that stands for provider and model id.

import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { isPlain } from '../fingerprint/plain.js';

/** What of a call is looked at; all its other members count for the fingerprint. */
export interface CallParams {
  abortSignal?: AbortSignal | undefined;
  headers?: object | undefined;
}

/** Models at hand; beyond that the oldest is opened again when it is used. */
const MODELS_MAX = 256;

/** Names parameters of a call; whose they are, and of which model, is said by the model they are asked of. */
const paramsNamer = fingerprinter({ scope: PUBLIC, model: 'zerohop/ai-sdk parameters' });

/** Characters of a name. @internal */
export const NAME_LENGTH = 64;

/** Models of one kind, each opened when it is first asked. @internal */
export class Models<M, Rest extends unknown[]> {
  readonly #open: (version: string, ...rest: Rest) => M;
  readonly #models = new Map<string, M>();

  constructor(open: (version: string, ...rest: Rest) => M) {
    this.#open = open;
  }

  of({ provider, modelId }: { provider: string; modelId: string }, ...rest: Rest): M {
    const version = JSON.stringify([provider, modelId]);
    const name = JSON.stringify([version, ...rest]);
    const known = this.#models.get(name);
    if (known !== undefined) return known;
    const model = this.#open(version, ...rest);
    this.#models.set(name, model);
    if (this.#models.size > MODELS_MAX) this.#models.delete(this.#models.keys().next().value!);
    return model;
  }
}

/** What counts of the parameters, in one word of fixed length; undefined if it has none. @internal */
export function nameOf(params: object): string | undefined {
  try {
    return paramsNamer.of(nameable(params)).hex;
  } catch {
    return undefined;
  }
}

/** Without members that are undefined, which no provider sends, and with URLs as a kind of their own. */
function nameable(value: unknown): unknown {
  if (value instanceof URL) return new Map([['URL', value.href]]);
  if (Array.isArray(value)) return value.map(nameable);
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, nameable(member)]));
}

/** As options of a model of ours. @internal */
export function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
