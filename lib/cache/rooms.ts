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

const rooms: Room<unknown>[] = [];

export function addRoom<Value>(room: Room<Value>): void {
  rooms.push(room as Room<unknown>);
}

/** Adds methods to a class. They are not enumerable, like those that the class declares. */
export function addMethods(prototype: object, methods: Record<string, (...args: never[]) => unknown>): void {
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
}

export function roomOptions(): string[] {
  return rooms.map(({ option }) => option);
}

/** Lets every room check its option. Returns what attaches them all to the cache. */
export function prepareRooms(given: Record<string, unknown>): (cache: object) => void {
  const prepared = rooms.map((room) => ({ room, value: room.prepare(given[room.option]) }));
  return (cache) => {
    for (const { room, value } of prepared) room.attach(cache, value);
  };
}
