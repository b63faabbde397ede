// options.ts: the options of a cache, a keyspace and a `set`: their types, and their checks.

import { native, POLICIES, VERIFY } from '../addon/native.js';
import {
  booleanOption,
  choiceOption,
  costOption,
  type Duration,
  type DurationText,
  durationOption,
  limitOption,
  optionsObject,
  rangeError,
  type Size,
  type SizeText,
  shareOption,
  sizeOption,
  tagsOption,
  textOption,
} from '../base/options.js';
import { PUBLIC, type Scope } from '../fingerprint/fingerprint.js';
import { type Codec, type CustomCodec, resolveCodec } from './codecs.js';
import { KEY_KINDS, type KeyKind } from './keys.js';
import { type KeyspaceKind, keyspaceKind, keyspaceRoomOptions, roomOptions } from './rooms.js';

export type Verify = (typeof VERIFY)[number];

const MAX_BYTES_MIN = 2 ** 20;
const MAX_BYTES_MAX = 2 ** 39 - 2 ** 21;

/** The share of the memory this process may use, if `maxBytes` is not given. */
const DEFAULT_SHARE = 1 / 4;

/** A scope's name. */
const SCOPE_BYTES_MAX = 1024;

/**
 * The options of `open`. `OpenOptions<string>` is for a variable whose sizes and durations are strings that are known
 * at run time only.
 */
export interface OpenOptions<Text extends string = SizeText | DurationText> {
  /** The same name opens the same cache, in every worker thread of the process. Without a name: a cache of its own. */
  name?: string | undefined;
  /**
   * Bytes for values, keys, entry headers and the index: 1 MiB to 512 GiB. Default: a quarter of what the process may
   * use (the limit of its control group, or the machine's memory, or what `ulimit -v` leaves). Address space is
   * reserved at once; memory is taken as it is filled.
   */
  maxBytes?: Size<Text> | undefined;
  /**
   * How writes through a view are found. `'sample'` (default): the checksum of one hit in 256 is compared. An entry
   * that was written to is dropped, counted as `corrupted`, and answered as a miss. `'trap'`: views are
   * write-protected, and a write ends the process at the line that did it (for tests; Linux). `'off'`: they are not
   * found.
   */
  verify?: Verify | undefined;
  /**
   * The most entries the cache holds after a `set`, whatever their size. Default, and Infinity: as many as fit in
   * `maxBytes`.
   */
  maxEntries?: number | undefined;
  /** How long values may be served, in all keyspaces that do not say otherwise. Default: for ever. */
  ttl?: Duration<Text> | undefined;
  /**
   * Shortens each `ttl` at random, by up to this share: 0 to less than 1. Values that were stored together then expire
   * apart. Default 0.
   */
  ttlJitter?: number | undefined;
  /**
   * Which entries stay when the cache is full. `'learned'` (default): those that are likely to be asked for soonest,
   * weighed by size and `cost`. `'score'`: those with the highest frequency / ln(time since the last request); see
   * `aging` and `admission`.
   */
  policy?: Policy | undefined;
  /** Only with `'score'`: frequencies are halved now and then, so that old fame fades. Default false. */
  aging?: boolean | undefined;
  /**
   * True: while the cache evicts, a `set` of a new key that is worth less than nearly all entries stores nothing and
   * returns false. Default: false with `'learned'`, true with `'score'`.
   */
  admission?: boolean | undefined;
}

export type Policy = (typeof POLICIES)[number];

/** The options of a keyspace, beside its codec. */
export interface KeyspaceBaseOptions<Kind extends KeyKind = KeyKind, Text extends string = DurationText> {
  /**
   * Whose values they are: a tenant's name, or PUBLIC, the default. Two scopes may have keyspaces of the same name.
   * Scopes never share a segment, so no view's `.buffer` shows another scope's bytes.
   */
  scope?: Scope | undefined;
  /** How long values may be served. Default: the cache's. */
  ttl?: Duration<Text> | undefined;
  ttlJitter?: number | undefined;
  /** `true`: hits are copies in memory of their own, as from `getCopy`, for APIs that refuse shared memory. */
  copy?: boolean | undefined;
  /** `'integer'`: keys are safe integers. Default: strings and bytes. */
  keys?: Kind | undefined;
  /** `false`: no near cache, for keys that are hardly ever asked for twice. */
  near?: boolean | undefined;
}

export interface KeyspaceOptions<In, Out, Own, Kind extends KeyKind = KeyKind, Text extends string = DurationText>
  extends KeyspaceBaseOptions<Kind, Text> {
  codec: Codec<In, Out, Own>;
}

export interface CustomKeyspaceOptions<T, Kind extends KeyKind = KeyKind, Text extends string = DurationText>
  extends KeyspaceBaseOptions<Kind, Text> {
  codec: CustomCodec<T>;
}

export interface SetOptions<Text extends string = DurationText> {
  /** How long the value may be served. Default: the keyspace's. */
  ttl?: Duration<Text> | undefined;
  /** Tags by which {@link Keyspace.deleteByTag} removes the entry: at most 16, of 1 to 255 bytes. */
  tags?: readonly string[] | undefined;
  /** What computing the value again would take, in ms. Kept as a 32-bit float. */
  cost?: number | undefined;
}

/** How long values last; times in ms. */
export interface Lifetime {
  readonly ttl: number;
  readonly ttlJitter: number;
}

/** The options of a cache, checked. @internal */
export interface CheckedOpenOptions extends Lifetime {
  readonly name: string;
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Its place in VERIFY. */
  readonly verify: number;
  readonly policy: Policy;
  /** Its place in POLICIES. */
  readonly policyNumber: number;
  readonly aging: boolean;
  readonly admission: boolean;
}

/** The options of a keyspace, checked. @internal */
export interface CheckedKeyspaceOptions extends Lifetime {
  readonly copy: boolean;
  readonly near: boolean;
}

/** The options of a keyspace and its identity for native code, checked. @internal */
export interface NewKeyspace<In, Out, Own> {
  readonly codec: Codec<In, Out, Own>;
  /** '' is public. */
  readonly scope: string;
  readonly integerKeys: boolean;
  readonly checked: CheckedKeyspaceOptions;
  /** What another room makes of it. */
  readonly kind: KeyspaceKind | undefined;
}

/** The options of a `set`, checked; times in ms. @internal */
export interface CheckedSetOptions {
  readonly ttl: number;
  readonly tags: readonly string[];
  readonly cost: number;
}

const OPEN_OPTIONS = [
  'name',
  'maxBytes',
  'verify',
  'maxEntries',
  'ttl',
  'ttlJitter',
  'policy',
  'aging',
  'admission',
] as const;
const KEYSPACE_OPTIONS = ['codec', 'scope', 'ttl', 'ttlJitter', 'copy', 'keys', 'near'] as const;

const SET_OPTIONS = ['ttl', 'tags', 'cost'] as const;
const NO_TAGS: readonly string[] = [];

/** The options of `open`, each read once. Those of other rooms are unchecked: `prepareRooms` checks them. @internal */
export function openOptions(options: object): { given: Record<string, unknown>; checked: CheckedOpenOptions } {
  const given = optionsObject('options', options, [...OPEN_OPTIONS, ...roomOptions()]);
  const { name, maxBytes, verify = 'sample', maxEntries = Number.POSITIVE_INFINITY } = given;
  const checked = {
    name: name === undefined ? '' : textOption('options.name', name),
    maxBytes:
      maxBytes === undefined
        ? defaultMaxBytes()
        : sizeOption('options.maxBytes', maxBytes, MAX_BYTES_MIN, MAX_BYTES_MAX),
    verify: VERIFY.indexOf(choiceOption('options.verify', verify, VERIFY)),
    ...keepingOptions(given),
    maxEntries: limitOption('options.maxEntries', maxEntries, 1, Number.MAX_SAFE_INTEGER),
    ...lifetimeOptions(given, { ttl: Number.POSITIVE_INFINITY, ttlJitter: 0 }),
  };
  return { given, checked };
}

/** What decides which entries stay. */
function keepingOptions(
  given: Record<string, unknown>,
): Pick<CheckedOpenOptions, 'policy' | 'policyNumber' | 'aging' | 'admission'> {
  const policy =
    given['policy'] === undefined ? POLICIES[0] : choiceOption('options.policy', given['policy'], POLICIES);
  const aging = given['aging'] === undefined ? false : booleanOption('options.aging', given['aging']);
  if (aging && policy !== 'score')
    throw rangeError('options.aging', "policy 'score' with it ('learned' ages by itself)", aging);
  const admission =
    given['admission'] === undefined ? policy === 'score' : booleanOption('options.admission', given['admission']);
  return { policy, policyNumber: POLICIES.indexOf(policy), aging, admission };
}

/** How long values last, by the options; without them, by `otherwise`. @internal */
export function lifetimeOptions(given: Record<string, unknown>, otherwise: Lifetime): Lifetime {
  const { ttl, ttlJitter } = given;
  return {
    ttl: ttl === undefined ? otherwise.ttl : durationOption('options.ttl', ttl),
    ttlJitter: ttlJitter === undefined ? otherwise.ttlJitter : shareOption('options.ttlJitter', ttlJitter),
  };
}

/** @param otherwise how long values last if the options do not say it. @internal */
export function keyspaceOptions(options: object, otherwise: Lifetime): NewKeyspace<unknown, unknown, unknown> {
  const given = optionsObject('options', options, [...KEYSPACE_OPTIONS, ...keyspaceRoomOptions()]);
  const { scope = PUBLIC, keys = 'string', copy = false, near = true } = given;
  return {
    codec: resolveCodec(given['codec']),
    scope: scope === PUBLIC ? '' : textOption('options.scope', scope, SCOPE_BYTES_MAX, 1),
    integerKeys: choiceOption('options.keys', keys, KEY_KINDS) === 'integer',
    checked: {
      ...lifetimeOptions(given, otherwise),
      copy: booleanOption('options.copy', copy),
      near: booleanOption('options.near', near),
    },
    kind: keyspaceKind(given),
  };
}

/** @param ttl in ms, if the options do not say it. @internal */
export function setOptions(options: object | undefined, ttl: number): CheckedSetOptions {
  const given = optionsObject('options', options, SET_OPTIONS);
  const { tags, cost } = given;
  return {
    ttl: given['ttl'] === undefined ? ttl : durationOption('options.ttl', given['ttl']),
    tags: tags === undefined ? NO_TAGS : tagsOption('options.tags', tags),
    cost: cost === undefined ? 0 : costOption('options.cost', cost),
  };
}

/** A quarter of the memory this process may use, in bytes: the default of `maxBytes`. */
export function defaultMaxBytes(): number {
  const share = native.environment().memoryLimitBytes * DEFAULT_SHARE;
  return Math.max(MAX_BYTES_MIN, Math.min(MAX_BYTES_MAX, Math.floor(share)));
}
