// langchain-answers.ts: turns answers of LangChain's language models into bytes and back, and says which answers are
// worth keeping.

import { typeError } from '../base/options.js';
import type { TokenUsage } from '../model/ledger.js';
import { hasContent, isBlank } from './complete.js';
import { isSameData, pack, unpack } from './packed.js';
import { answerIn, usageFrom, withUsage } from './usage.js';

/** One answer of a model. */
export interface GenerationLike {
  text: string;
  generationInfo?: Record<string, unknown>;
}

/** What is used of the module `@langchain/core/caches`. */
export interface LangChainCaches<Base extends object> {
  BaseCache: abstract new () => Base;
  serializeGeneration(generation: never): object;
  deserializeStoredGeneration(stored: never): object;
}

/** What is used of a message. */
interface MessageLike {
  content?: unknown;
  tool_calls?: unknown;
  response_metadata?: Record<string, unknown>;
  usage_metadata?: unknown;
}

/** The reasons to stop that providers give for a whole answer, in small letters. */
const WHOLE =
  /^(stop|end|eos|end_turn|stop_sequence|eos_token|tool_calls?|tool_use|function_call|completed?|finished|success)$/;
const REASONS = ['finish_reason', 'finishReason', 'stop_reason', 'stopReason', 'done_reason'] as const;

/**
 * Whether all generations are whole. Each has a text, a tool call, or content of another kind. None was stopped for
 * another reason than that it was finished, such as a limit of tokens or a filter.
 *
 * @example llmCache(caches, { ...options, keep: (answers) => areComplete(answers) && parses(answers[0].text) })
 */
export function areComplete(generations: readonly GenerationLike[]): boolean {
  return generations.length > 0 && generations.every(isComplete);
}

function isComplete(generation: GenerationLike): boolean {
  const { text, generationInfo, message } = generation as GenerationLike & { message?: MessageLike };
  for (const told of [generationInfo, message?.response_metadata]) {
    for (const name of REASONS) {
      const reason = told?.[name];
      if (typeof reason === 'string' && !WHOLE.test(spelt(reason))) return false;
    }
    if (told?.['status'] === 'incomplete' || told?.['status'] === 'failed') return false; // OpenAI's Responses API
  }
  if (!isBlank(text)) return true;
  const { content, tool_calls: calls } = message ?? {};
  return (Array.isArray(calls) && calls.length > 0) || (Array.isArray(content) && hasContent(content));
}

/**
 * The tokens of a call: of a message of it, each of which has those of the whole call; otherwise of `llmOutput`.
 * Undefined: they are not known.
 */
function usageOf(generations: readonly GenerationLike[], llmOutput: unknown): TokenUsage | undefined {
  for (const { message } of generations as readonly { message?: MessageLike }[]) {
    const { input_tokens, output_tokens, input_token_details } = Object(message?.usage_metadata) as Told;
    const usage = usageFrom(input_tokens, (Object(input_token_details) as Told)['cache_read'], output_tokens);
    if (usage !== undefined) return usage;
  }
  const { promptTokens, completionTokens } = Object((Object(llmOutput) as Told)['tokenUsage']) as Told;
  return usageFrom(promptTokens, 0, completionTokens);
}

type Told = Record<string, unknown>;

/** Makes `toolUse`, `TOOL-USE` and `tool_use` the same reason. */
function spelt(reason: string): string {
  return reason
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_');
}

/** Answers as bytes, by LangChain's own functions. @internal */
export class Answers {
  readonly #caches: LangChainCaches<object>;

  /** @throws {TypeError} `caches` is not that module. */
  constructor(caches: LangChainCaches<object>) {
    const { BaseCache, serializeGeneration, deserializeStoredGeneration } = Object(caches) as LangChainCaches<object>;
    for (const each of [BaseCache, serializeGeneration, deserializeStoredGeneration])
      if (typeof each !== 'function') throw typeError('caches', "the module '@langchain/core/caches'", caches);
    this.#caches = caches;
  }

  /** The bytes, tokens first; undefined if the answers would not come back with the same classes and members. */
  pack(generations: readonly GenerationLike[], more?: unknown): Uint8Array | undefined {
    try {
      const stored = generations.map((generation) => ({
        stored: this.#caches.serializeGeneration(generation as never),
        generationInfo: generation.generationInfo,
      }));
      const data = pack([stored, more]);
      if (data === undefined) return undefined;
      const packed = withUsage(data, usageOf(generations, more));
      const { generations: restored } = this.unpack(packed);
      return generations.every((one, i) => isSame(one, restored[i]!)) ? packed : undefined;
    } catch {
      return undefined; // LangChain cannot store such a message
    }
  }

  /** The answers, made anew for each caller, and what else was packed with them. */
  unpack(packed: ArrayLike<number>): { generations: GenerationLike[]; more: unknown } {
    const [stored, more] = unpack(answerIn(packed)) as [(GenerationLike & { stored: never })[], unknown];
    const generations = stored.map(
      ({ stored, generationInfo }) =>
        ({
          ...this.#caches.deserializeStoredGeneration(stored),
          ...(generationInfo && { generationInfo }), // LangChain does not serialize it
        }) as GenerationLike,
    );
    return { generations, more };
  }
}

function isSame(one: object, other: object): boolean {
  const { message, ...rest } = one as { message?: object };
  const { message: restored, ...others } = other as { message?: object };
  if (classOf(one) !== classOf(other) || !isSameData(rest, others)) return false;
  if (message === undefined || restored === undefined) return message === restored;
  return message.constructor === restored.constructor && isSameData(membersOf(message), membersOf(restored));
}

/** The name of its class. Plain objects of any realm have the same one. */
function classOf(value: object): string | undefined {
  return value.constructor?.name;
}

/** The message's members without LangChain's notes about how it was made. */
function membersOf(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([name]) => !name.startsWith('lc_')));
}
