// recording.ts: a stream that is read once, given to all who ask for it meanwhile, and kept when it has ended well.
//
//   source ──read by whoever is ahead──► parts, packed ──each reader at its own pace──► streams
//                                        └─ at the end, unless it failed: handed over to be stored
//
// A reader gets copies of its own: nobody's change reaches another, or what is stored. Only instances of classes and
// functions within parts, which no copy can be made of, are shared; such a stream is not stored. Nothing is read before
// somebody asks for it, and the source is cancelled when the last reader has left.

import { copied, pack, unpack } from './packed.js';

/** What a model gives: the stream, and what is known of it beforehand. */
export interface Streamed {
  stream: ReadableStream;
}

type Part = { readonly packed: Uint8Array } | { readonly original: unknown };

/** One part is made at a time, when it is asked for. */
const ON_DEMAND = { highWaterMark: 0 };

/** What becomes of a stream. */
export interface Keeping {
  /** Each part, in order. */
  take(part: object): void;
  /** Asked at the end: whether the parts are to be kept. What it throws, the readers' streams fail with. */
  isKept(): boolean;
  /** Called once: with the packed parts of a stream that is to be kept, else with undefined. */
  settled(parts: Uint8Array[] | undefined): void;
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

  /** Opens the stream at once. */
  constructor(open: (signal: AbortSignal) => PromiseLike<Streamed>, keeping: Keeping) {
    this.#keeping = keeping;
    this.#opened = this.#open(open);
    this.#opened.catch(() => {}); // each reader hears of it
  }

  /**
   * What the model gave, with a stream of the reader's own. Rejects if it could not be opened, or with `signal`'s
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
      const opened = await open(this.#abort.signal);
      this.#source = opened.stream.getReader();
      if (this.#abort.signal.aborted) void this.#source.cancel(this.#abort.signal.reason).catch(() => {});
      return opened;
    } catch (reason) {
      this.#settle(undefined);
      throw reason;
    }
  }

  /** Reads a part; once for all who wait for it. */
  #more(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#source!.read();
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
    this.#keeping.settled(parts);
  }
}

function copyOf(part: Part): unknown {
  return 'packed' in part ? unpack(part.packed) : copied(part.original);
}

/** A stream of parts that were packed. It fails with `signal`'s reason once that is aborted. */
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
