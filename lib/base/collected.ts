// collected.ts: what is to be done once an object was collected.
//
// A worker may end between a collection and the callbacks that follow it. Node 20 has V8 run them even then, while it
// forbids JavaScript, and V8 throws `illegal access`. Node passes over that error in its main context. In a vm context,
// such as vitest's vmThreads makes for each test file, the error ends the process. So the registries are of the main
// context, whichever context this file is evaluated in.

import { runInThisContext } from 'node:vm';

const Registry = runInThisContext('FinalizationRegistry') as FinalizationRegistryConstructor;

/** Calls `callback` with what an object was registered with, some time after the object was collected, or never. */
export function whenCollected<Held>(callback: (held: Held) => void): FinalizationRegistry<Held> {
  return new Registry(callback);
}
