// transformers.ts: keeps model files of transformers.js as blobs: the package's entry `zerohop/transformers`. It is for
// version 4: on Node, version 3 asks a second time by another name. The types here describe only what is used of the
// library. Nothing of it is imported.
//
// The library asks twice for a file that it loads: whether there is one, then for its bytes. Opening a blob reads all
// of it, for its digest. So the blob that was opened for the first question is held for the second. It is then given
// away, because whoever has its bytes may write to them. For the next reader the blob is opened anew.

import '../addon/native.js'; // first: its error says that it was bundled

import { createHash } from 'node:crypto';
import { isBranded } from '../base/kinds.js';
import { optionsObject, textOption, typeError } from '../base/options.js';
import type { Blobs, MappedBlob } from '../weights/blobs.js';

export interface TransformersCacheOptions {
  /** A file that was stored with another version is not found: for models whose `revision` has moved. Default `''`. */
  version?: string | undefined;
}

/** Progress as the library reports it: percents, and bytes. `total` is 0 if the server did not say it. */
export type PutProgress = (progress: { progress: number; loaded: number; total: number }) => void;

const OPTIONS = ['version'] as const;
const NAME_BYTES_MAX = 255; // of a blob
const CHUNK_BYTES = 2 ** 20; // of a body

/** An open blob, and whether somebody reads it, who may then write to its pages. */
interface Held {
  readonly blob: MappedBlob;
  given: boolean;
}

/** The methods that transformers.js calls. A request is the URL of a file, which names its revision. */
class BlobCache {
  readonly #blobs: Blobs;
  readonly #version: string;
  readonly #held = new Map<string, Held>();

  /** @internal */
  constructor(blobs: Blobs, version: string) {
    this.#blobs = blobs;
    this.#version = version;
  }

  /**
   * The file, if it was stored; otherwise undefined. Its body is made when it is read. `arrayBuffer()` is the mapping
   * itself, and belongs to the caller: nobody else sees what is written to it.
   *
   * Cost: the digest of the blob, some 1 ms for a MB, unless the blob is held since an earlier question.
   */
  async match(request: string): Promise<Response | undefined> {
    const held = this.#held.get(request) ?? (await this.#find(request));
    if (held === undefined) return undefined;
    this.#held.set(request, held);
    return new BlobResponse(held.blob.byteLength, () => this.#give(request, held));
  }

  /**
   * Stores the file of the response, unless it is stored already, or another process is storing it. The whole file is
   * in memory until it is stored.
   *
   * Rejects with a TypeError if the response is not a whole file; with an Error if the body ends too early; with the
   * body's own error; and as `blobs.open` does.
   */
  async put(request: string, response: Response, onProgress?: PutProgress): Promise<void> {
    if (response.status !== 200) throw typeError('response.status', '200', response.status);
    let read = false;
    const blob = await this.#blobs.open(nameOf(request), this.#version, () => {
      read = true;
      return bytesOf(response, request, onProgress);
    });
    this.#held.set(request, { blob, given: false });
    if (!read) await response.body?.cancel();
  }

  /** Deletes the file, and returns whether there was one. Whoever reads it goes on. */
  async delete(request: string): Promise<boolean> {
    this.#held.delete(request);
    return this.#blobs.delete(nameOf(request), this.#version);
  }

  async #find(request: string): Promise<Held | undefined> {
    const blob = await this.#blobs.find(nameOf(request), this.#version);
    return blob && { blob, given: false };
  }

  /** The blob that is held, for the first reader; another one for each further reader. */
  async #give(request: string, held: Held): Promise<MappedBlob> {
    const free = held.given ? await this.#find(request) : held;
    if (free === undefined) throw new Error(`${request} was deleted before it was read`);
    free.given = true;
    if (this.#held.get(request) === free) this.#held.delete(request);
    return free.blob;
  }
}

/** A response over a blob. The blob is asked for when the body is. */
class BlobResponse extends Response {
  readonly #give: () => Promise<MappedBlob>;

  constructor(byteLength: number, give: () => Promise<MappedBlob>) {
    let blob: MappedBlob | undefined;
    let at = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          blob ??= await give();
          const chunk = blob.bytes.subarray(at, at + CHUNK_BYTES);
          at += chunk.length;
          if (chunk.length > 0) controller.enqueue(chunk);
          if (at === blob.byteLength) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    super(body, { headers: { 'content-length': `${byteLength}` } });
    this.#give = give;
  }

  override readonly arrayBuffer = async (): Promise<ArrayBuffer> => {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    await this.body!.cancel(); // marks the body as used; rejects if somebody else reads it
    return (await this.#give()).ownBuffer();
  };
}

export type TransformersCache = BlobCache;

/**
 * For `env.customCache` of transformers.js. The files of a model are downloaded once for all processes that share the
 * folder of the blobs, and each process maps them.
 *
 * @throws {TypeError | RangeError} `blobs` is something else; an option is wrong.
 * @example Object.assign(env, { useCustomCache: true, customCache: transformersCache(cache.blobs) })
 */
export function transformersCache(blobs: Blobs, options?: TransformersCacheOptions): TransformersCache {
  if (!isBranded(blobs, 'Blobs')) throw typeError('blobs', 'the blobs of a cache', blobs);
  const { version } = optionsObject('options', options, OPTIONS);
  return new BlobCache(blobs, version === undefined ? '' : textOption('options.version', version, NAME_BYTES_MAX));
}

function nameOf(request: string): string {
  if (typeof request !== 'string') throw typeError('request', 'a string', request);
  if (Buffer.byteLength(request) <= NAME_BYTES_MAX) return request;
  return `SHA-256 ${createHash('sha256').update(request).digest('hex')}`;
}

async function bytesOf(response: Response, request: string, onProgress?: PutProgress): Promise<Uint8Array> {
  const { body, headers } = response;
  const total = Number.parseInt(headers.get('content-length') ?? '', 10) || 0;
  let bytes = new Uint8Array(total);
  let loaded = 0;
  for await (const chunk of body ?? []) {
    if (loaded + chunk.length > bytes.length) {
      const more = new Uint8Array(Math.max(2 * bytes.length, loaded + chunk.length));
      more.set(bytes.subarray(0, loaded));
      bytes = more;
    }
    bytes.set(chunk, loaded);
    loaded += chunk.length;
    onProgress?.({ progress: total > 0 ? (100 * loaded) / total : 0, loaded, total });
  }
  // If the body was compressed, the length is that of the compressed bytes.
  if (total > 0 && loaded !== total && !headers.has('content-encoding'))
    throw new Error(`${request}: ${loaded} bytes came, and ${total} were announced`);
  return bytes.subarray(0, loaded);
}
