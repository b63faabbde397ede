// weights.ts: the weights of a model, mapped: a checkpoint of one file or of several, its tensors shown without a copy,
// and the digest that is the model's version.

import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { framed, leftEncode, utf8 } from '../fingerprint/framing.js';
import { native } from '../native.js';
import {
  booleanOption,
  choiceOption,
  countOption,
  optionsObject,
  rangeError,
  textOption,
  typeError,
} from '../options.js';
import { draftOf } from './atomic-file.js';
import { arrayOf } from './dtypes.js';
import { WeightsError } from './error.js';
import { STRATEGIES, type TensorPlace, WeightsFile, type WeightsStrategy } from './file.js';
import { checkSplit, type Header, headerOf, shardsOf } from './formats.js';
import { showAll } from './windows.js';
import { controlOf, type WritableTensors, type WriteOptions, writeWeights } from './write.js';

export interface WeightsOptions {
  /** Default `'auto'`: mapped, but read into memory where the file lies on a network. */
  strategy?: WeightsStrategy;
  /** Compute the digest before `open` returns. Default: when `computeDigest()` is called. */
  digest?: boolean;
  /** Gives up reading files that are read and not mapped. */
  signal?: AbortSignal;
}

export interface LoadOptions {
  /** Told now and then, and of each file's end; what it throws ends the work. */
  onProgress?: (progress: { bytes: number; total: number }) => void;
  signal?: AbortSignal;
  /** Default: as many as the machine runs at once, 8 at most. */
  threads?: number;
}

/** A file of a checkpoint, as onnxruntime takes it beside a model. */
export interface ExternalDataFile {
  /** Its name without folders: the `location` that the model says. */
  path: string;
  /** All of it, over the mapping. */
  data: Uint8Array<ArrayBuffer>;
}

/** A tensor of a checkpoint. */
export class WeightTensor {
  readonly name: string;
  /** As the file calls it: F32, BF16, Q4_K … */
  readonly dtype: string;
  /** The outermost dimension first. */
  readonly shape: readonly number[];
  /** In the file. */
  readonly bytes: number;
  /** Of quantised types, the blocks that its elements lie in: how many elements, in how many bytes. */
  readonly quantization: { readonly blockElements: number; readonly blockBytes: number } | undefined;
  readonly #file: WeightsFile;
  readonly #begin: number;
  #data: ArrayBufferView | undefined;

  /** @internal */
  constructor({ name, dtype, shape, block, begin, end }: TensorPlace, file: WeightsFile) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = end - begin;
    const [blockElements, bits] = block;
    this.quantization = blockElements === 1 ? undefined : { blockElements, blockBytes: bits / 8 };
    this.#begin = begin;
    this.#file = file;
  }

  /** Its elements begin at a multiple of their size, as the processor and some libraries like it. */
  get aligned(): boolean {
    return this.#begin % arrayOf(this.dtype).bytes === 0;
  }

  /** The file that holds it, and the place in it. */
  get place(): { path: string; begin: number; end: number } {
    return { path: this.#file.path, begin: this.#begin, end: this.#begin + this.bytes };
  }

  /**
   * The elements, over the mapping itself: the typed array of the type; of F16 a Float16Array where the runtime has one,
   * of BF16 the bits in a Uint16Array; of what has no array, the bytes. Empty after the weights were closed.
   *
   * Writing to it changes this mapping alone: neither the file, nor another worker's view. Cost: a typed array, once.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_WINDOW`: longer than one buffer may be (4 GiB on Node 20); take {@link part}s.
   */
  get data(): ArrayBufferView {
    this.#data ??= this.part(0, this.bytes);
    return this.#data;
  }

  /** As {@link data}, of the bytes from `begin` to `end` of the tensor, which are whole elements. */
  part(begin: number, end: number): ArrayBufferView {
    const { array, bytes } = arrayOf(this.dtype);
    countOption('begin', begin, 0, this.bytes);
    countOption('end', end, begin, this.bytes);
    if (begin % bytes !== 0 || end % bytes !== 0)
      throw typeError('begin', `whole elements of ${bytes} bytes`, begin % bytes !== 0 ? begin : end);
    if (end === begin) return new array(new ArrayBuffer(0), 0, 0);
    const from = this.#begin + begin;
    if (from % bytes !== 0) return new array(this.#file.part(from, from + end - begin), 0, (end - begin) / bytes);
    const { buffer, offset } = this.#file.window(from, from + end - begin);
    return new array(buffer, offset, (end - begin) / bytes);
  }

  /** @internal */
  get file(): WeightsFile {
    return this.#file;
  }

  /**
   * Its elements as float32, whatever their type: from 16 and 8 bits, whole numbers, or blocks (Q4_0, Q8_0, Q4_K, Q6_K …).
   * From `begin` to `end`, in bytes that are whole elements or blocks; all of it by default.
   *
   * @throws {TypeError} its type is none that can be converted. @throws {RangeError} no whole blocks; `out` is too short.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut.
   */
  toFloat32(out?: Float32Array, begin = 0, end = this.bytes): Float32Array {
    countOption('begin', begin, 0, this.bytes);
    countOption('end', end, begin, this.bytes);
    const from = this.#begin + begin;
    const to = this.#begin + end;
    const count = native.tensorFloat32(this.#file.handle, from, to, this.dtype) as number;
    if (count < 0) {
      const known = native.tensorFloat32(this.#file.handle, from, from, this.dtype) === 0;
      if (!known) throw typeError('dtype', 'a type that can be converted', this.dtype);
      throw rangeError('end', `whole blocks of ${this.dtype}`, end - begin);
    }
    const floats = out ?? new Float32Array(count);
    if (!(floats instanceof Float32Array)) throw typeError('out', 'a Float32Array', out);
    if (floats.length < count) throw rangeError('out.length', `at least ${count}`, floats.length);
    const done = native.tensorFloat32(this.#file.handle, from, to, this.dtype, floats);
    if (typeof done === 'string') throw new WeightsError('ERR_WEIGHTS_CHANGED', done, this.#file.path, from);
    return floats;
  }

  /** Copies its bytes from the file into `out`, which may hold fewer; a file that was cut meanwhile is an error. */
  read(out: Uint8Array, from = 0): void {
    countOption('from', from, 0, this.bytes);
    if (!(out instanceof Uint8Array)) throw typeError('out', 'a Uint8Array', out);
    this.#file.read(this.#begin + from, out.subarray(0, Math.min(out.length, this.bytes - from)));
  }
}

const OPTIONS = ['strategy', 'digest', 'signal'] as const;
const LOAD_OPTIONS = ['onProgress', 'signal', 'threads'] as const;
const THREADS_MAX = 8;
const PROGRESS_MS = 50;
const VERSION = 'zerohop weights 1';

/** The weights of a model. Made by {@link Weights.open}. */
export class Weights implements Iterable<WeightTensor> {
  readonly path: string;
  /** By name, in the order of the files. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** What the headers say beside the tensors. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly #files: readonly WeightsFile[];
  #digest: string | undefined;

  /**
   * Opens a checkpoint: one `.safetensors` or `.gguf`; a `model.safetensors.index.json` with its shards, or the folder it
   * lies in. Nothing but headers is read.
   *
   * Rejects with a WeightsError whose `code`, `path` and `offset` say what is wrong with which file, and where.
   * @example const weights = await Weights.open('model/', { digest: true })
   */
  static async open(path: string, options?: WeightsOptions): Promise<Weights> {
    const given = optionsObject('options', options, OPTIONS);
    const strategy =
      given['strategy'] === undefined ? 'auto' : choiceOption('options.strategy', given['strategy'], STRATEGIES);
    const load = loadOptions(given['signal'] === undefined ? undefined : { signal: given['signal'] as AbortSignal });
    const digest = given['digest'] === undefined ? false : booleanOption('options.digest', given['digest']);
    const weights = new Weights(textOption('path', path, 4096, 1), strategy);
    try {
      for (const file of weights.#files)
        if (!file.mapped)
          await job(file, load.signal, undefined, (control) => native.weightsLoad(file.handle, load.threads, control));
      if (digest) await weights.computeDigest(load.signal && { signal: load.signal });
    } catch (error) {
      weights.close();
      throw error;
    }
    return weights;
  }

  /**
   * Writes tensors to a safetensors file, atomically: whoever opens `path` sees the old file or the new one, never a part.
   * The tensors must not change until it is done.
   *
   * Rejects with a TypeError or RangeError for a name or a tensor that is none, `signal`'s reason, and errors of the file
   * system as they are.
   * @example await Weights.write('model.safetensors', { weight: { dtype: 'float32', shape: [2, 3], data } })
   */
  static async write(path: string, tensors: WritableTensors, options?: WriteOptions): Promise<void> {
    await writeWeights(path, tensors, options);
  }

  /** @internal */
  constructor(path: string, strategy: WeightsStrategy) {
    this.path = path;
    const files: WeightsFile[] = [];
    const tensors = new Map<string, WeightTensor>();
    const metadata = Object.create(null) as Record<string, unknown>;
    const headers: Header[] = [];
    try {
      const { paths, wanted } = shardsOf(pathOfCheckpoint(path));
      for (const one of paths) {
        // A link that the caller named is followed, and none that a file names.
        const file = new WeightsFile(one, strategy, wanted === undefined && paths.length === 1);
        files.push(file);
        headers.push(headerOf(file));
      }
      checkSplit(files, headers);
      for (const [i, header] of headers.entries()) {
        // Not assigned: values that are read when they are asked for stay so.
        Object.defineProperties(metadata, Object.getOwnPropertyDescriptors(header.metadata));
        for (const place of header.tensors) addTensor(tensors, place, files[i]!, wanted);
      }
      for (const [name, shard] of wanted ?? [])
        if (!tensors.has(name))
          throw new WeightsError('ERR_WEIGHTS_SHARD', `holds no tensor ${name}, which the index says it does`, shard);
    } catch (error) {
      for (const file of files) file.close();
      throw error;
    }
    let shown = false;
    const show = () => {
      if (shown) return;
      shown = true; // also if it fails: windows are then made one by one
      showAll(
        files,
        headers.map(({ tensors }) => tensors),
      );
    };
    for (const file of files) file.onFirstWindow = show;
    this.tensors = tensors;
    this.metadata = metadata;
    this.#files = files;
  }

  [Symbol.iterator](): Iterator<WeightTensor> {
    return this.tensors.values();
  }

  /** @throws {WeightsError} `ERR_WEIGHTS_TENSOR`: there is none of this name. */
  tensor(name: string): WeightTensor {
    const found = this.tensors.get(name);
    if (found !== undefined) return found;
    throw new WeightsError('ERR_WEIGHTS_TENSOR', `holds no tensor ${JSON.stringify(name)}`, this.path);
  }

  /** Bytes of the files. */
  get bytes(): number {
    return this.#files.reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * What the files contain, as 64 digits: the version of the model that they are, for `cache.model({ version })`. A changed
   * byte anywhere gives another.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_DIGEST`: not computed yet; `open` with `digest: true`, or await `computeDigest()`.
   */
  get digest(): string {
    if (this.#digest !== undefined) return this.#digest;
    throw new WeightsError(
      'ERR_WEIGHTS_DIGEST',
      'its digest was not computed; open it with { digest: true }',
      this.path,
    );
  }

  /**
   * Computes `digest`, or takes it from the file `<path>.zerohop-digest` that an earlier one left, if neither inode, size nor
   * time of the file has changed since.
   *
   * Rejects with `signal`'s reason; WeightsError `ERR_WEIGHTS_CHANGED`: the file was cut or written to meanwhile.
   * Cost: some 1 s for a GB by one thread, where it is in memory.
   */
  async computeDigest(options?: LoadOptions): Promise<string> {
    const { threads, signal, onProgress } = loadOptions(options);
    const parts: Uint8Array[] = [framed(utf8(VERSION)), leftEncode(this.#files.length)];
    let before = 0;
    for (const file of this.#files) {
      const report = onProgress && ((bytes: number) => onProgress({ bytes: before + bytes, total: this.bytes }));
      const root = rootInSidecar(file) ?? (await rootOf(file, threads, signal, report));
      file.check();
      parts.push(leftEncode(file.size), root);
      before += file.size;
      onProgress?.({ bytes: before, total: this.bytes });
    }
    const out = new Uint8Array(new ArrayBuffer(32));
    const state = new Uint8Array(new ArrayBuffer(200));
    native.hashStart(new Uint8Array(0), state);
    native.hashData(state, new Uint8Array(0), Buffer.concat(parts), 0, out);
    this.#digest = Buffer.from(out).toString('hex');
    return this.#digest;
  }

  /**
   * The files, for a model whose initializers lie in them: its `external_data` says `location`, the file's name, and `offset` and
   * `length`, which are `place.begin` and `bytes` of the tensor.
   *
   * Nothing is copied here. onnxruntime 1.30 copies what it needs while the session is made: keep the weights open until
   * then, and close them when you like. A session that finds them closed is refused.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_WINDOW`: a file longer than one buffer may be (4 GiB on Node 20).
   * @example const session = await ort.InferenceSession.create(model, { externalData: weights.externalData() })
   */
  externalData(): ExternalDataFile[] {
    const instead = 'keep it in smaller files, or give the session the path of a model beside it';
    return this.#files.map((file) => ({ path: basename(file.path), data: file.whole(instead) }));
  }

  /**
   * Loads tensors into memory, all of them by default, with large reads by several threads: at the device's speed, which
   * touching them does not reach.
   *
   * Rejects with `signal`'s reason; WeightsError `ERR_WEIGHTS_CHANGED`.
   */
  async prefetch(names?: Iterable<string>, options?: LoadOptions): Promise<void> {
    const { threads, signal, onProgress } = loadOptions(options);
    const wanted = names === undefined ? [...this] : Array.from(names, (name) => this.tensor(name));
    const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
    let before = 0;
    for (const file of this.#files) {
      const ranges = wanted.flatMap(({ place }) => (place.path === file.path ? [place.begin, place.end] : []));
      if (ranges.length === 0) continue;
      const report = onProgress && ((bytes: number) => onProgress({ bytes: before + bytes, total }));
      await job(file, signal, report, (control) =>
        native.weightsWarm(file.handle, Float64Array.from(ranges), threads, control),
      );
      for (let i = 0; i < ranges.length; i += 2) before += ranges[i + 1]! - ranges[i]!;
      onProgress?.({ bytes: before, total });
    }
  }

  /** Tells the system which tensors are used next, all by default, and waits for nothing. False where it can not be told. */
  advise(names?: Iterable<string>): boolean {
    const wanted = names === undefined ? [...this] : Array.from(names, (name) => this.tensor(name));
    return wanted.map(({ file, place, bytes }) => native.weightsAdvise(file.handle, place.begin, bytes)).every(Boolean);
  }

  /** Keeps all of it in memory. @throws {WeightsError} `ERR_WEIGHTS_LOCK`: more than `ulimit -l` allows. */
  lock(): void {
    for (const file of this.#files) {
      const failure = native.weightsLock(file.handle);
      if (failure !== undefined) throw new WeightsError('ERR_WEIGHTS_LOCK', failure, file.path);
    }
  }

  /** Bytes in the address space, and those of them that are in memory now. */
  residency(): { mapped: number; resident: number } {
    return {
      mapped: this.bytes,
      resident: this.#files.reduce((sum, file) => sum + native.weightsResident(file.handle), 0),
    };
  }

  /** @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: a file was cut or written to since it was opened. */
  check(): void {
    for (const file of this.#files) file.check();
  }

  /** Empties all views, and gives the address space back once no work on it is under way. Again: no effect. */
  close(): void {
    for (const file of this.#files) file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function pathOfCheckpoint(path: string): string {
  try {
    if (!statSync(path).isDirectory()) return path;
    const index = join(path, 'model.safetensors.index.json');
    return statSync(index, { throwIfNoEntry: false })?.isFile() ? index : join(path, 'model.safetensors');
  } catch (error) {
    throw new WeightsError('ERR_WEIGHTS_OPEN', (error as Error).message, path);
  }
}

function addTensor(
  tensors: Map<string, WeightTensor>,
  place: TensorPlace,
  file: WeightsFile,
  wanted: ReadonlyMap<string, string> | undefined,
): void {
  const { name } = place;
  if (tensors.has(name))
    throw new WeightsError('ERR_WEIGHTS_DUPLICATE', `holds the tensor ${name}, as a shard before it does`, file.path);
  if (wanted !== undefined && wanted.get(name) !== file.path)
    throw new WeightsError(
      'ERR_WEIGHTS_SHARD',
      `holds the tensor ${name}, which the index ${wanted.has(name) ? 'says another shard does' : 'does not know'}`,
      file.path,
    );
  tensors.set(name, new WeightTensor(place, file));
}

interface Load {
  readonly threads: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: LoadOptions['onProgress'];
}

function loadOptions(options: LoadOptions | undefined): Load {
  const given = optionsObject('options', options, LOAD_OPTIONS);
  const { threads } = given;
  return {
    ...controlOf<{ bytes: number; total: number }>(given),
    threads:
      threads === undefined
        ? Math.min(THREADS_MAX, availableParallelism())
        : countOption('options.threads', threads, 1, 64),
  };
}

/** How to tell all work that is under way to give up: a process that exits waits for the threads that are at it. */
const underWay = new Set<() => void>();
const giveAllUp = () => {
  for (const giveUp of underWay) giveUp();
};

/** Runs native work beside the event loop; `control` is how it is told to give up, and tells how far it is. */
async function job<T>(
  file: WeightsFile,
  signal: AbortSignal | undefined,
  report: ((bytes: number) => void) | undefined,
  start: (control: Int32Array) => Promise<T | string>,
): Promise<T> {
  signal?.throwIfAborted();
  const control = new Int32Array(new ArrayBuffer(8));
  const giveUp = () => Atomics.store(control, 0, 1);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (underWay.size === 0) process.on('exit', giveAllUp);
  underWay.add(giveUp);
  let thrown: { error: unknown } | undefined;
  const tell = () => {
    try {
      if (thrown === undefined) report?.(Atomics.load(control, 1) * 1024);
    } catch (error) {
      thrown = { error }; // by the listener: out of a timer it would end the process
      giveUp();
    }
  };
  const timer = report && setInterval(tell, PROGRESS_MS);
  try {
    const done = await start(control);
    if (thrown !== undefined) throw thrown.error;
    signal?.throwIfAborted();
    if (typeof done === 'string') throw new WeightsError('ERR_WEIGHTS_CHANGED', done, file.path);
    return done;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', giveUp);
    underWay.delete(giveUp);
    if (underWay.size === 0) process.off('exit', giveAllUp);
  }
}

const sidecarOf = (file: WeightsFile) => `${file.path}.zerohop-digest`;

/** What an earlier run found, if the file is the same still. */
function rootInSidecar(file: WeightsFile): Uint8Array | undefined {
  try {
    const [version, identity, root] = readFileSync(sidecarOf(file), 'utf8').split('\n');
    if (version !== VERSION || identity !== file.identity || !/^[0-9a-f]{64}$/.test(root ?? '')) return undefined;
    return Buffer.from(root!, 'hex');
  } catch {
    return undefined; // none, or none that can be read
  }
}

async function rootOf(
  file: WeightsFile,
  threads: number,
  signal: AbortSignal | undefined,
  report: ((bytes: number) => void) | undefined,
): Promise<Uint8Array> {
  const root = new Uint8Array(
    await job<ArrayBuffer>(file, signal, report, (control) =>
      native.weightsDigest(file.handle, 0, file.size, threads, control),
    ),
  );
  // As best it can: the folder may be read-only. Renamed into place, since others may be at it.
  const own = draftOf(file.path);
  try {
    writeFileSync(own, `${VERSION}\n${file.identity}\n${Buffer.from(root).toString('hex')}\n`);
    renameSync(own, sidecarOf(file));
  } catch {
    rmSync(own, { force: true });
  }
  return root;
}
