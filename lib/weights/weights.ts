// weights.ts: the weights of a model: a checkpoint of one file or of several, mapped.

import { basename } from 'node:path';
import { native } from '../addon/native.js';
import { brand } from '../base/kinds.js';
import { booleanOption, optionsObject } from '../base/options.js';
import { checkpointOf } from './checkpoint.js';
import { digestOf } from './digest.js';
import { WeightsError } from './error.js';
import {
  type CloseOptions,
  closeNow,
  strategyOf,
  type TensorPlace,
  WeightsFile,
  type WeightsPages,
  type WeightsStrategy,
} from './file.js';
import { checkSplit, type Header, headerOf } from './formats.js';
import { job, type LoadOptions, loadFile, loadOptions } from './job.js';
import { type FilePath, pathOption } from './paths.js';
import { WeightTensor } from './tensor.js';
import { showAll } from './windows.js';
import { type WritableTensors, type WriteOptions, writeWeights } from './write.js';

export interface WeightsOptions {
  /** Default `'auto'`: mapped, or read into memory if the file lies on a network file system. */
  strategy?: WeightsStrategy | undefined;
  /**
   * `'huge'`: the files are read into huge pages, where the system has them. Reads at random places then take less
   * time. It costs the time of reading, and memory of this process: each open, also in a worker, has a copy of its own.
   * Default `'auto'`: so if the files are read anyway.
   */
  pages?: WeightsPages | undefined;
  /** Compute the digest before `open` returns. Default: when `computeDigest()` is called. */
  digest?: boolean | undefined;
  /** Gives up while files are read into memory. */
  signal?: AbortSignal | undefined;
}

/** How much of some files is in memory, in bytes. */
export interface Residency {
  mapped: number;
  resident: number;
  huge: number;
}

/** A file of a checkpoint, in the form in which onnxruntime takes it beside a model. */
export interface ExternalDataFile {
  /** Its name without folders: the `location` in the model. */
  path: string;
  /** The whole file, over the mapping. */
  data: Uint8Array<ArrayBuffer>;
}

const OPTIONS = ['strategy', 'pages', 'digest', 'signal'] as const;

/** The weights of a model. Made by {@link Weights.open}. */
export class Weights implements Iterable<WeightTensor> {
  readonly path: string;
  /** The tensors by name, in the order of the files. */
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** What the headers say beside the tensors. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly #files: readonly WeightsFile[];
  #digest: string | undefined;

  /**
   * Opens a checkpoint by a path or a `file:` URL. It is a `.safetensors` or `.gguf` file; an `…index.json` with its
   * shards; or a folder. Of a folder it takes the first of `model.safetensors`, `diffusion_pytorch_model.safetensors`,
   * `adapter_model.safetensors`, `adapters.safetensors` and `weights.safetensors`, or its index. Only headers are read.
   *
   * Rejects with a WeightsError. `code`, `path` and `offset` say what is wrong with which file, and where.
   * @example const weights = await Weights.open('model/', { digest: true })
   */
  static async open(path: FilePath, options?: WeightsOptions): Promise<Weights> {
    const given = optionsObject('options', options, OPTIONS);
    const strategy = strategyOf(given);
    const load = loadOptions(given['signal'] === undefined ? undefined : { signal: given['signal'] as AbortSignal });
    const digest = given['digest'] === undefined ? false : booleanOption('options.digest', given['digest']);
    const weights = new Weights(pathOption(path), strategy);
    try {
      for (const file of weights.#files) if (!file.mapped) await loadFile(file, load);
      if (digest) await weights.computeDigest(load.signal && { signal: load.signal });
    } catch (error) {
      weights.close();
      throw error;
    }
    return weights;
  }

  /**
   * Writes tensors to a safetensors file, atomically: whoever opens `path` sees the old file or the new one, never a
   * part. The tensors must not change until it is done. Elements are written as they are, also those that are not
   * finite. If `path` is a link, the file that it leads to is written. A file that is replaced keeps its permissions.
   *
   * Rejects with a TypeError or RangeError for an invalid name or tensor; with `signal`'s reason; with errors of the
   * file system as they are.
   * @example await Weights.write('model.safetensors', { weight: { dtype: 'float32', shape: [2, 3], data } })
   */
  static async write(path: FilePath, tensors: WritableTensors, options?: WriteOptions): Promise<void> {
    await writeWeights(path, tensors, options);
  }

  private constructor(path: string, strategy: WeightsStrategy) {
    this.path = path;
    const files: WeightsFile[] = [];
    const tensors = new Map<string, WeightTensor>();
    const metadata = Object.create(null) as Record<string, unknown>;
    const headers: Header[] = [];
    try {
      const { shards, follow, wanted } = checkpointOf(path);
      for (const shard of shards) {
        const file = new WeightsFile(shard.path, strategy, follow, shard.place);
        files.push(file);
        headers.push(headerOf(file));
      }
      checkSplit(files, headers);
      for (const [i, header] of headers.entries()) {
        // Defined, not assigned: a value that is read when it is asked for stays so.
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
      shown = true; // even if it fails: windows are then made one by one
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

  /** The tensor of this name. @throws {WeightsError} `ERR_WEIGHTS_TENSOR`: there is none. */
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
   * A digest of what the files contain, as 64 digits. Use it as the version of the model in `cache.model({ version })`.
   * Any changed byte gives another digest.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_DIGEST`: not computed yet; `open` with `digest: true`, or await
   * `computeDigest()`.
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
   * Computes `digest`. If neither inode, size nor times of a file have changed, its part is taken from the sidecar
   * `<path>.zerohop-digest` that an earlier call left (for a file that is reached by a link, in the user's cache
   * folder).
   *
   * Rejects with `signal`'s reason; with WeightsError `ERR_WEIGHTS_CHANGED`: the file was cut or written to meanwhile;
   * with `ERR_WEIGHTS_CLOSED`. Cost: some 1 s for a GB that is in memory, by one thread.
   */
  async computeDigest(options?: LoadOptions): Promise<string> {
    this.#digest = await digestOf(this.#files, this.bytes, loadOptions(options));
    return this.#digest;
  }

  /**
   * The files, for an ONNX model whose initializers lie in them. The model's `external_data` has `location`, the name
   * of the file, and `offset` and `length`: `place.begin` and `bytes` of the tensor.
   *
   * Nothing is copied here. onnxruntime 1.30 copies what it needs while the session is made. The weights may be closed
   * at any time: the result of this call keeps the memory.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_WINDOW`: a file is longer than one buffer may be (4 GiB on Node 20).
   * @example const session = await ort.InferenceSession.create(model, { externalData: weights.externalData() })
   */
  externalData(): ExternalDataFile[] {
    const instead = 'keep it in smaller files, or give the session the path of a model beside it';
    return this.#files.map((file) => ({ path: basename(file.path), data: file.whole(instead) }));
  }

  /**
   * Loads tensors into memory, by default all of them, with large reads by several threads. That reaches the speed of
   * the device, which touching the pages does not.
   *
   * Rejects with `signal`'s reason; with WeightsError `ERR_WEIGHTS_CHANGED`, `ERR_WEIGHTS_CLOSED`.
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

  /**
   * Tells the system which tensors are used next, by default all, and does not wait. False: the system takes no such
   * advice.
   */
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

  /**
   * How many bytes are in the address space; how many of them are in memory now, and how many of those in huge pages.
   *
   * `huge` is 0 where the system does not tell, and an estimate where other memory lies right beside. Cost: some ms for
   * each GB of memory that the process uses, whatever the number of files.
   */
  residency(): Residency {
    const handles = this.#files.map(({ handle }) => handle);
    const resident = handles.reduce<number>((sum, handle) => sum + native.weightsResident(handle), 0);
    return { mapped: this.bytes, resident, huge: native.weightsHuge(handles) };
  }

  /** Checks the files. @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: one was cut or written to since it was opened. */
  check(): void {
    for (const file of this.#files) file.check();
  }

  /**
   * Gives the files up. A `prefetch` or `computeDigest` under way rejects with `ERR_WEIGHTS_CLOSED`. Descriptors are
   * closed, and what `lock` kept in memory is released. Views that were handed out stay as they are, and keep the
   * memory until the last of them is collected. A second call does nothing.
   *
   * @throws {TypeError} an unknown option.
   */
  close(options?: CloseOptions): void {
    const now = closeNow(options);
    for (const tensor of this.tensors.values()) tensor.forget();
    for (const file of this.#files) file.close(now);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

brand(Weights.prototype, 'Weights');

function addTensor(
  tensors: Map<string, WeightTensor>,
  place: TensorPlace,
  file: WeightsFile,
  wanted: ReadonlyMap<string, string> | undefined,
): void {
  const { name } = place;
  // The index decides which tensors there are, and in which shard. Other tensors of a shard are left out.
  if (wanted !== undefined && wanted.get(name) !== file.path) return;
  if (tensors.has(name))
    throw new WeightsError('ERR_WEIGHTS_DUPLICATE', `holds the tensor ${name}, as a shard before it does`, file.path);
  tensors.set(name, WeightTensor.of(place, file));
}
