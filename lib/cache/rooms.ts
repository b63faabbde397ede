// rooms.ts: how other parts of the library add options and members to a cache.
//
// A room (models, blobs, …) imports the cache; the cache imports no room. A room has a file `attach.ts`, which calls
// the functions below and declares the types of what it adds:
//
//   declare module '../cache/cache.js' {
//     interface Cache { example(): string }
//   }
//
// lib/index.ts imports that file. Nothing else needs to know of the room.

import type { Codec } from './codecs.js';
import type { CheckedKeyspaceOptions } from './options.js';

/** A room that adds an option to `open`. */
export interface Room<Value> {
  /** The option's name. */
  readonly option: string;
  /**
   * Checks what the user gave, undefined included. Called before the cache is opened; what it throws, `open` throws.
   */
  prepare(value: unknown): Value;
  /** Called with each new cache, and with what `prepare` returned for it. */
  attach(cache: object, value: Value): void;
}

/** A keyspace as it is opened. @internal */
export interface KeyspaceFacts {
  readonly name: string;
  /** With the scope in it. */
  readonly nativeName: string;
  readonly scope: string;
  readonly codec: Codec<unknown, unknown, unknown>;
  readonly integerKeys: boolean;
  readonly checked: CheckedKeyspaceOptions;
}

/** What a room makes of a keyspace with its option. */
export interface KeyspaceKind {
  /** A class that extends OpenKeyspace, with the same constructor. */
  readonly keyspace: unknown;
  /** Called with each new keyspace, before the user gets it. What it throws, `keyspace` throws. */
  attach(keyspace: object, cache: object, cacheHandle: number, facts: KeyspaceFacts): void;
}

/** A room that adds an option to `keyspace`. */
export interface KeyspaceRoom {
  readonly option: string;
  /** Checks what the user gave. Undefined: the keyspace is one like others. */
  prepare(value: unknown): KeyspaceKind | undefined;
}

const rooms: Room<unknown>[] = [];
const keyspaceRooms: KeyspaceRoom[] = [];

export function addRoom<Value>(room: Room<Value>): void {
  rooms.push(room as Room<unknown>);
}

/** Adds methods to a class. They are not enumerable, like those that the class declares. */
export function addMethods(prototype: object, methods: Record<string, (...args: never[]) => unknown>): void {
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
}

export function addKeyspaceRoom(room: KeyspaceRoom): void {
  keyspaceRooms.push(room);
}

export function roomOptions(): string[] {
  return rooms.map(({ option }) => option);
}

export function keyspaceRoomOptions(): string[] {
  return keyspaceRooms.map(({ option }) => option);
}

/** What a room makes of a keyspace with these options; undefined: it is one like others. */
export function keyspaceKind(given: Record<string, unknown>): KeyspaceKind | undefined {
  for (const room of keyspaceRooms) {
    const kind = room.prepare(given[room.option]);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

/** Lets every room check its option. Returns what attaches them all to the cache. */
export function prepareRooms(given: Record<string, unknown>): (cache: object) => void {
  const prepared = rooms.map((room) => ({ room, value: room.prepare(given[room.option]) }));
  return (cache) => {
    for (const { room, value } of prepared) room.attach(cache, value);
  };
}
