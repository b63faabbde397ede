// file.ts: one file of weights: its mapping, windows over it, and what its header says.

import { type NativeRefusal, native, STRATEGIES } from '../addon/native.js';
import { booleanOption, choiceOption, optionsObject, rangeError } from '../base/options.js';
import { refused, WeightsError } from './error.js';

/**
 * How a file comes into memory. `'mmap'`: it is mapped. `'read'`: it is read into memory. `'auto'`: it is mapped, or
 * read if it lies on a network file system. `'direct'`: it is read past the system's page cache where the file system
 * can, for files that nobody reads a second time.
 */
export type WeightsStrategy = (typeof STRATEGIES)[number];

/**
 * Which pages a file is shown in. `'auto'`: a mapped file in the system's pages of it, which all processes share; a file
 * that is read, in huge pages where the system has them. `'huge'`: the file is read, so that it lies in huge pages.
 */
export type WeightsPages = (typeof PAGES)[number];

const PAGES = ['auto', 'huge'] as const;

/** How a file is opened, from the options `strategy` and `pages`. @internal */
export function strategyOf(given: Record<string, unknown>): WeightsStrategy {
  const { strategy, pages } = given;
  const chosen = strategy === undefined ? 'auto' : choiceOption('options.strategy', strategy, STRATEGIES);
  if (pages === undefined || choiceOption('options.pages', pages, PAGES) === 'auto') return chosen;
  if (chosen === 'mmap') throw rangeError('options.strategy', "'auto', 'read' or 'direct' with pages: 'huge'", chosen);
  return chosen === 'auto' ? 'read' : chosen;
}

/** A tensor, as a header describes it. @internal */
export interface TensorPlace {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements and bits of a block. A block has 1 element, except for quantised types. */
  readonly block: readonly [elements: number, bits: number];
  readonly begin: number;
  readonly end: number;
}

/** The longest buffer: Node before 22 shows at most 4 GiB in one. */
export const WINDOW_BYTES = Number(process.versions.node.split('.')[0]) < 22 ? 2 ** 32 : Number.MAX_SAFE_INTEGER;

/** Windows begin at multiples of this, so what is aligned in the file is aligned in them. */
const WINDOW_STEP = 2 ** 30;
const ALIGNMENT = 64;

/** Keeps the addresses of a detached buffer from being used for something else. */
const rangeOf = new WeakMap<ArrayBuffer, unknown>();

/** Options of `close`. */
export interface CloseOptions {
  /**
   * True: views are empty at once, and memory and disk space of a file that nobody else has open are given back. An
   * operation that still works on a view then reads zeros, fails, or ends the process: Node checks the lengths of views
   * between its steps. Use it when nothing reads the views any more. Default: the memory is freed with the last view.
   */
  now?: boolean | undefined;
}

/** @throws {TypeError} an unknown option. */
export function closeNow(options: CloseOptions | undefined): boolean {
  const { now } = optionsObject('options', options, ['now']);
  return now === undefined ? false : booleanOption('options.now', now);
}

export class WeightsFile {
  readonly path: string;
  readonly size: number;
  readonly mapped: boolean;
  /** Stays the same as long as nobody cuts the file or writes to it. */
  readonly identity: string;
  readonly owner: number;
  readonly mode: number;
  /** When the system last noted a change, in ms since 1970. */
  readonly changedMs: number;
  /** Called by `close`, to end the work on the file. */
  readonly onClose = new Set<() => void>();
  readonly #file: unknown;
  #windows: { from: number; bytes: number; buffer: ArrayBuffer }[] = [];
  /** Buffers over parts that are no windows. */
  #parts: WeakRef<ArrayBuffer>[] = [];
  #partsSwept = 64;
  #open = true;
  /** Called before the first window is made. */
  onFirstWindow: (() => void) | undefined;

  /** `place`: the file itself, if `path` is a link to it that was checked. */
  constructor(path: string, strategy: WeightsStrategy, follow = true, place = path) {
    const opened = native.weightsOpen(place, STRATEGIES.indexOf(strategy), follow);
    if (Array.isArray(opened)) throw refused(opened as unknown as NativeRefusal, path, false);
    this.path = path;
    this.#file = opened;
    const { size, mapped, identity, owner, mode, changedMs } = native.weightsFacts(opened);
    this.size = size;
    this.mapped = mapped;
    this.identity = identity;
    this.owner = owner;
    this.mode = mode;
    this.changedMs = changedMs;
  }

  /** @internal */
  get handle(): unknown {
    if (!this.#open) throw new WeightsError('ERR_WEIGHTS_CLOSED', 'it was closed', this.path);
    return this.#file;
  }

  /** Throws if the file changed. */
  check(): void {
    if (native.weightsFacts(this.handle).changed)
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'it was cut or written to since it was opened', this.path);
  }

  /** A buffer that shows this part, and where in it the part begins. */
  window(begin: number, end: number): { buffer: ArrayBuffer; offset: number } {
    void this.handle; // throws after `close`
    if (this.#windows.length === 0) this.onFirstWindow?.();
    for (const { from, bytes, buffer } of this.#windows)
      if (begin >= from && end <= from + bytes && from % ALIGNMENT === 0) return { buffer, offset: begin - from };
    this.#checkWindow(begin, end, 'take parts of it');
    // A window shows all of the file if it can. Otherwise it begins where neighbouring tensors can use it too, and is
    // aligned as the file is.
    const start = this.size <= WINDOW_BYTES ? 0 : begin - (begin % WINDOW_STEP);
    const near = end - start > WINDOW_BYTES ? begin - (begin % ALIGNMENT) : start;
    const from = end - near > WINDOW_BYTES ? begin : near;
    const buffer = this.show(from, Math.min(this.size, from + WINDOW_BYTES));
    return { buffer, offset: begin - from };
  }

  /** Makes a window over this part, which must fit into one buffer. */
  show(from: number, to: number): ArrayBuffer {
    const buffer = native.weightsWindow(this.handle, from, to - from);
    this.#windows.push({ from, bytes: to - from, buffer });
    return buffer;
  }

  /** The whole file in one piece, over the mapping. `instead`: what the error advises if it is too long for that. */
  whole(instead: string): Uint8Array<ArrayBuffer> {
    this.#checkWindow(0, this.size, instead);
    const { buffer, offset } = this.window(0, this.size);
    return new Uint8Array(buffer, offset, this.size);
  }

  /** A buffer of its own over this part, for elements that do not lie at a multiple of their size. */
  part(begin: number, end: number): ArrayBuffer {
    this.#checkWindow(begin, end, 'take parts of it');
    if (this.#parts.length >= this.#partsSwept) {
      this.#parts = this.#parts.filter((part) => part.deref() !== undefined);
      this.#partsSwept = 2 * this.#parts.length + 64;
    }
    const buffer = native.weightsWindow(this.handle, begin, end - begin);
    this.#parts.push(new WeakRef(buffer));
    return buffer;
  }

  /** Copies from the file, not from the pages, so a file that was cut is an error. */
  read(from: number, out: Uint8Array): void {
    const failure = native.weightsRead(this.handle, from, out);
    if (failure !== undefined) throw refused(failure, this.path);
  }

  /** As `read`, but from the pages: for what a table finds its rows by. */
  copy(from: number, out: Uint8Array): void {
    const failure = native.weightsCopy(this.handle, from, out);
    if (failure !== undefined) throw refused(failure, this.path);
  }

  /**
   * Ends the work on the file, and releases it. Its buffers are not detached: Node may still work on a view, on another
   * thread or in a later step, and relies on its length and its memory. The memory is unmapped when V8 frees the last
   * buffer over it.
   *
   * `now`: the buffers are detached, and the memory is given back. The range of addresses stays taken until the
   * detached buffers are collected. A reader that still uses one keeps it from being collected.
   */
  close(now = false): void {
    if (!this.#open) return;
    this.#open = false;
    for (const end of this.onClose) end();
    native.weightsRelease(this.#file, now);
    if (now) {
      const parts = this.#parts.map((part) => part.deref());
      for (const buffer of [...this.#windows.map(({ buffer }) => buffer), ...parts])
        if (buffer !== undefined && native.weightsDetach(buffer)) rangeOf.set(buffer, this.#file);
    }
    this.#windows = [];
    this.#parts = [];
  }

  #checkWindow(begin: number, end: number, instead: string): void {
    if (end - begin <= WINDOW_BYTES) return;
    const node = `Node ${process.versions.node}`;
    const message = `${end - begin} bytes are more than ${node} shows in one piece; ${instead}`;
    throw new WeightsError('ERR_WEIGHTS_WINDOW', message, this.path, begin);
  }
}
