// complete.ts: which answers of language models have content.

import { isAsyncFunction } from '../base/kinds.js';
import { typeError } from '../base/options.js';

/** Parts that accompany other content, and are no answer alone. */
const ASIDES = new Set(['reasoning', 'thinking', 'redacted_thinking', 'source', 'source-url', 'source-document']);

/** Whether a text is empty, or only white space. @internal */
export function isBlank(text: unknown): boolean {
  return typeof text !== 'string' || text.trim() === '';
}

/** Whether one of the parts is a text that is not empty, a tool call, a file, or content of another kind. @internal */
export function hasContent(parts: readonly unknown[]): boolean {
  return parts.some((part) => {
    if (typeof part !== 'object' || part === null) return !isBlank(part);
    const { type, text } = part as { type?: unknown; text?: unknown };
    if (type === 'text' || type === 'text-plain') return !isBlank(text);
    return typeof type === 'string' && !ASIDES.has(type);
  });
}

/**
 * The caller's predicate, given as an option; otherwise `usual`. @internal
 *
 * @throws {TypeError} it is not a function. The returned function throws if the predicate gives neither true nor false.
 */
export function keepOption<Answer>(keep: unknown, usual: (answer: Answer) => boolean): (answer: Answer) => boolean {
  if (keep === undefined) return usual;
  if (typeof keep !== 'function' || isAsyncFunction(keep))
    throw typeError('options.keep', 'a function of an answer that gives true or false', keep);
  return (answer) => {
    const kept: unknown = keep(answer);
    if (typeof kept !== 'boolean') throw typeError('what keep returned', 'true or false', kept);
    return kept;
  };
}
