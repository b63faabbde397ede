// verify-references.ts: who knows the right value of a key: another server, or the model, asked over HTTP.
//
// The contract with an endpoint is in docs/CLI.md: what is posted, and how its answer becomes bytes to compare.

import { isUtf8 } from 'node:buffer';
import { RespError } from '../resp/error.js';
import type { ServerGiven } from './connection.js';
import { connectedTo } from './other-server.js';
import { jsonOf } from './print.js';
import type { Form } from './verify-compare.js';

/** The right value; `'absent'`: there is none; or why it is not known. */
export type Answer = Buffer | 'absent' | { readonly failed: string };

export interface Reference {
  readonly shown: string;
  /** Whether asking again is cheap: then a value that differs is read once more. */
  readonly cheap: boolean;
  valueOf(key: Buffer): Promise<Answer>;
  close(): void;
}

export async function serverReference(url: string, given: ServerGiven): Promise<Reference> {
  const client = await connectedTo(url, given);
  return {
    shown: client.shown,
    cheap: true,
    async valueOf(key) {
      try {
        return ((await client.call('GET', key)) as Buffer | null) ?? 'absent';
      } catch (error) {
        if (error instanceof RespError && error.code === 'ERR_RESP_REPLY') return { failed: error.message };
        throw error;
      }
    },
    close: () => client.close(),
  };
}

export interface EndpointOptions {
  readonly url: URL;
  /** What is posted. `{key}` in it becomes the key, and `{rest}` what stands behind the prefix, as JSON. */
  readonly body: string;
  readonly prefix: string;
  /** Where in a JSON answer the value is; '': it is the answer. */
  readonly pointer: string;
  readonly form: Form;
  readonly timeoutMs: number;
  /** For the header `authorization`; undefined: none. */
  readonly token: string | undefined;
}

const ANSWER_BYTES_MAX = 64 * 2 ** 20;
const ABSENT = [404, 410];

export function endpointReference(options: EndpointOptions): Reference {
  const { url, timeoutMs } = options;
  return {
    shown: `${url.origin}${url.pathname}`,
    cheap: false,
    async valueOf(key) {
      try {
        return await asked(key, options);
      } catch (error) {
        const { name, message, cause } = error as Error & { cause?: Error };
        if (name === 'TimeoutError') return { failed: `no answer within ${timeoutMs / 1000} s` };
        return { failed: cause instanceof Error && cause.message !== '' ? `${message}: ${cause.message}` : message };
      }
    },
    close: () => {},
  };
}

async function asked(key: Buffer, { url, body, prefix, pointer, form, timeoutMs, token }: EndpointOptions) {
  const rest = key.subarray(Buffer.byteLength(prefix));
  const written = body.replace(/\{(key|rest)\}/g, (_, name) => JSON.stringify(jsonOf(name === 'key' ? key : rest)));
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: form === 'json' ? 'application/json' : 'application/json, application/octet-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: written,
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  const bytes = await bytesOf(response);
  if (ABSENT.includes(response.status)) return 'absent';
  if (!response.ok) return { failed: `it answered ${response.status}` };
  const isJson = /^application\/([\w.+-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '');
  return isJson || pointer !== '' ? valueIn(bytes, pointer, form) : bytes;
}

/** @throws it is too long. */
async function bytesOf(response: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > ANSWER_BYTES_MAX) throw new Error('its answer has more than 64 MB'); // ends the connection, too
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The value at a place of a JSON answer, as the cache would hold it. */
function valueIn(bytes: Buffer, pointer: string, form: Form): Answer {
  if (!isUtf8(bytes)) return { failed: 'its answer is no UTF-8' };
  if (form !== 'float32' && pointer === '') return bytes;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return { failed: 'its answer is no JSON' };
  }
  const found = at(value, pointer);
  if (found === undefined) return { failed: `its answer has nothing at ${pointer}` };
  if (form === 'json') return Buffer.from(JSON.stringify(found));
  if (form === 'bytes')
    return typeof found === 'string' ? Buffer.from(found) : { failed: 'its answer has no text there' };
  if (!Array.isArray(found) || !found.every((one) => typeof one === 'number'))
    return { failed: 'its answer has no array of numbers there' };
  return Buffer.from(Float32Array.from(found as number[]).buffer);
}

/** RFC 6901. */
function at(value: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (of, name) =>
        typeof of === 'object' && of !== null && Object.hasOwn(of, name)
          ? (of as Record<string, unknown>)[name]
          : undefined,
      value,
    );
}
