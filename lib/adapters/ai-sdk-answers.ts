// ai-sdk-answers.ts: answers of the AI SDK's language models: whole results, and streams put together from their parts.
// Also says which of them are worth keeping.

import type { TokenUsage } from '../model/ledger.js';
import { hasContent } from './complete.js';
import { usageFrom } from './usage.js';

/** A part of an answer: a text, a tool call, a file, a source, or another `type`. */
export interface AnswerPart {
  type: string;
  text?: string;
}

/** A whole answer, from a result or from a stream. */
export interface Answer {
  content: readonly AnswerPart[];
  /** Why the model stopped: `stop`, `length`, `content-filter`, `tool-calls`, `error`, `other` or `unknown`. */
  finishReason: string;
}

/**
 * Whether an answer is whole: the model stopped because it had said everything (`stop`, `tool-calls`), and there is a
 * text, a tool call, or content of another kind.
 *
 * @example languageMiddleware({ cache, scope, keep: (answer) => isComplete(answer) && parses(answer) })
 */
export function isComplete({ content, finishReason }: Answer): boolean {
  return (finishReason === 'stop' || finishReason === 'tool-calls') && hasContent(content);
}

/** From a result of `doGenerate`, or from a `finish` part. A reason is a text, or since v3 an object with one. */
function reasonOf({ finishReason }: { finishReason?: unknown }): string {
  const reason = (finishReason as { unified?: unknown } | undefined)?.unified ?? finishReason;
  return typeof reason === 'string' ? reason : 'unknown';
}

/** @internal */
export function answerOf(result: object): Answer {
  const { content } = result as { content?: unknown };
  return { content: Array.isArray(content) ? content : [], finishReason: reasonOf(result) };
}

/** The tokens of a result of `doGenerate`, or of a `finish` part. Numbers, or since v3 objects with them. @internal */
export function usageOf({ usage }: { usage?: unknown }): TokenUsage | undefined {
  const { inputTokens: input, outputTokens: output, cachedInputTokens } = Object(usage) as Record<string, unknown>;
  const total = (tokens: unknown) => (tokens as { total?: unknown } | undefined)?.total ?? tokens;
  const cached = (input as { cacheRead?: unknown } | undefined)?.cacheRead ?? cachedInputTokens;
  return usageFrom(total(input), cached, total(output));
}

/** @internal */
export const isFailed = ({ finishReason }: Answer): boolean => finishReason === 'error';

/** Parts that are not content. */
const BOOKKEEPING = /^(stream-start|response-metadata|raw|finish|error|(text|reasoning|tool-input)-(start|delta|end))$/;

/** Puts a streamed answer together. @internal */
export class Assembly {
  readonly #content: { type: string; text?: string }[] = [];
  readonly #open = new Map<string, { type: string; text: string }>();
  #finishReason: string | undefined;
  #failed = false;
  /** Undefined: not known. */
  usage: TokenUsage | undefined;

  take(part: object): void {
    const { type, id, delta } = part as { type?: unknown; id?: unknown; delta?: unknown };
    if (typeof type !== 'string') return;
    if (type === 'error') this.#failed = true;
    else if (type === 'finish') {
      this.#finishReason = reasonOf(part);
      this.usage = usageOf(part);
    } else if (/^(text|reasoning)-(start|delta)$/.test(type)) this.#say(type.slice(0, type.indexOf('-')), id, delta);
    else if (!BOOKKEEPING.test(type)) this.#content.push(part as AnswerPart);
  }

  /** The answer; undefined if the stream failed, or did not finish. */
  get answer(): Answer | undefined {
    if (this.#failed || this.#finishReason === undefined) return undefined;
    return { content: this.#content, finishReason: this.#finishReason };
  }

  #say(type: string, id: unknown, delta: unknown): void {
    const name = `${type} ${String(id)}`;
    let said = this.#open.get(name);
    if (said === undefined) {
      said = { type, text: '' };
      this.#open.set(name, said);
      this.#content.push(said);
    }
    if (typeof delta === 'string') said.text += delta;
  }
}

/** The result without what belongs to the request that was made: a call that the cache answers makes none. @internal */
export function withoutTransport(result: object): object {
  const { request: _, response, ...rest } = result as { request?: unknown; response?: object };
  if (response === undefined) return rest;
  const { headers: __, body: ___, ...metadata } = response as { headers?: unknown; body?: unknown };
  return { ...rest, response: metadata };
}
