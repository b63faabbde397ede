// usage.ts: the tokens of kept answers, for reports about money (`zerohop/report`).
//
// A kept answer is bytes. Its tokens stand in front of them, so that a hit is counted without making the answer.

import type { TokenUsage } from '../model/ledger.js';

/** Tokens of the input, those of them that the provider's cache served, and of the output; NaN: not known. */
const NUMBERS = 3;
const BYTES = NUMBERS * Float64Array.BYTES_PER_ELEMENT;

/** @internal */
export function withUsage(packed: Uint8Array, usage: TokenUsage | undefined): Uint8Array {
  const bytes = new Uint8Array(BYTES + packed.length);
  const { inputTokens, cachedInputTokens = 0, outputTokens } = usage ?? { inputTokens: NaN, outputTokens: NaN };
  bytes.set(new Uint8Array(Float64Array.of(inputTokens, cachedInputTokens, outputTokens).buffer));
  bytes.set(packed, BYTES);
  return bytes;
}

/** What {@link withUsage} was given. Undefined: it is not known. @internal */
export function usageIn(bytes: ArrayLike<number>): TokenUsage | undefined {
  const [inputTokens, cachedInputTokens, outputTokens] = new Float64Array(
    new Uint8Array((bytes as Uint8Array).subarray(0, BYTES)).buffer,
  ) as unknown as [number, number, number];
  return Number.isNaN(inputTokens) ? undefined : { inputTokens, cachedInputTokens, outputTokens };
}

/** @internal */
export function answerIn(bytes: ArrayLike<number>): Uint8Array {
  return (bytes as Uint8Array).subarray(BYTES);
}

/** From numbers that a library told, whatever they are. @internal */
export function usageFrom(input: unknown, cachedInput: unknown, output: unknown): TokenUsage | undefined {
  if (!isCount(input) || !isCount(output)) return undefined;
  return { inputTokens: input, cachedInputTokens: isCount(cachedInput) ? cachedInput : 0, outputTokens: output };
}

const isCount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < Infinity;
