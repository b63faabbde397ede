// recording.ts: a stream that is read once, given to all who ask for it meanwhile, and kept if it ends well.
//
//   source ──read by whoever is ahead──► parts, packed ──each reader at its own pace──► streams
//                                        └─ at the end, unless it failed: handed over to be stored
//
// A reader gets copies of its own, so a change of one reader reaches neither others nor what is stored. Instances of
// classes and functions within parts cannot be copied, so they are shared, and such a stream is not stored. Nothing is
// read before a reader asks for it. The source is cancelled when the last reader has left.

import { now } from '../base/time.js';
import { copied, pack, unpack } from './packed.js';

/** What a model gives: the stream, and what is known before it begins. */
export interface Streamed {
  stream: ReadableStream;
}

type Part = { readonly packed: Uint8Array } | { readonly original: unknown };

/** One part is made at a time, when it is asked for. */
const ON_DEMAND = { highWaterMark: 0 };

/** What a recording tells about its stream. */
export interface Keeping {
  /** Each part, in order. */
  take(part: object): void;
  /** Asked at the end: whether to keep the parts. If it throws, the readers' streams fail with that error. */
  isKept(): boolean;
  /**
   * Called once: with the packed parts of a stream that must be kept, otherwise with undefined; and with the ms that
   * its readers waited for the source, which is what the model took, at least.
   */
  settled(parts: Uint8Array[] | undefined, waitedMs: number): void;
}

export class Recording {
  readonly #opened: Promise<Streamed>;
  readonly #abort = new AbortController();
  readonly #keeping: Keeping;
  readonly #parts: Part[] = [];
  #source: ReadableStreamDefaultReader | undefined;
  #reading: Promise<void> | undefined;
  #readers = 0;
  #isOver = false;
  #waitedMs = 0;

  /** Opens the stream at once. */
  constructor(open: (signal: AbortSignal) => PromiseLike<Streamed>, keeping: Keeping) {
    this.#keeping = keeping;
    this.#opened = this.#open(open);
    this.#opened.catch(() => {}); // each reader gets the error
  }

  /**
   * What the model gave, with a stream for this reader. Rejects if the stream could not be opened, or with `signal`'s
   * reason.
   */
  async join(signal: AbortSignal | undefined): Promise<Streamed> {
    this.#readers++;
    let controller: ReadableStreamDefaultController | undefined;
    let giveUp: (reason: unknown) => void = () => {};
    let isHere = true;
    const onAbort = () => {
      giveUp(signal?.reason);
      controller?.error(signal?.reason);
      leave(signal?.reason);
    };
    const leave = (reason?: unknown) => {
      if (!isHere) return;
      isHere = false;
      signal?.removeEventListener('abort', onAbort);
      if (--this.#readers === 0) this.#abandon(reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const opened = await new Promise<Streamed>((resolve, reject) => {
      giveUp = reject;
      this.#opened.then(resolve, reject);
    }).catch((reason) => {
      leave(reason);
      throw reason;
    });
    let at = 0;
    const stream = new ReadableStream(
      {
        start(own) {
          controller = own;
        },
        pull: async (own) => {
          try {
            while (at === this.#parts.length && !this.#isOver) await this.#more();
          } catch (reason) {
            leave(reason);
            throw reason;
          }
          if (!isHere) return;
          if (at < this.#parts.length) own.enqueue(copyOf(this.#parts[at++]!));
          else {
            own.close();
            leave();
          }
        },
        cancel: leave,
      },
      ON_DEMAND,
    );
    return { ...opened, stream };
  }

  async #open(open: (signal: AbortSignal) => PromiseLike<Streamed>): Promise<Streamed> {
    try {
      const opened = await this.#timed(() => open(this.#abort.signal));
      this.#source = opened.stream.getReader();
      if (this.#abort.signal.aborted) void this.#source.cancel(this.#abort.signal.reason).catch(() => {});
      return opened;
    } catch (reason) {
      this.#settle(undefined);
      throw reason;
    }
  }

  /** Reads the next part, once for all readers who wait for it. */
  #more(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#timed(() => this.#source!.read());
      if (!done) return this.#take(value);
      const packed = this.#parts.flatMap((part) => ('packed' in part ? part.packed : []));
      const isKept = this.#keeping.isKept() && packed.length === this.#parts.length;
      this.#isOver = true;
      this.#settle(isKept ? packed : undefined);
    } catch (reason) {
      this.#settle(undefined);
      throw reason;
    }
  }

  async #timed<Result>(work: () => PromiseLike<Result>): Promise<Result> {
    const begun = now();
    try {
      return await work();
    } finally {
      this.#waitedMs += now() - begun;
    }
  }

  #take(part: object): void {
    this.#keeping.take(part);
    const packed = pack(part);
    this.#parts.push(packed === undefined ? { original: part } : { packed });
  }

  #abandon(reason: unknown): void {
    if (this.#isOver) return;
    this.#settle(undefined);
    this.#abort.abort(reason);
    void this.#source?.cancel(reason).catch(() => {});
  }

  #isSettled = false;
  #settle(parts: Uint8Array[] | undefined): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#keeping.settled(parts, this.#waitedMs);
  }
}

function copyOf(part: Part): unknown {
  return 'packed' in part ? unpack(part.packed) : copied(part.original);
}

/** A stream of packed parts. When `signal` is aborted, it fails with its reason. */
export function replayed(parts: readonly Uint8Array[], signal: AbortSignal | undefined): ReadableStream {
  let at = 0;
  return new ReadableStream(
    {
      pull(controller) {
        if (signal?.aborted) controller.error(signal.reason);
        else if (at < parts.length) controller.enqueue(unpack(parts[at++]!));
        else controller.close();
      },
    },
    ON_DEMAND,
  );
}
