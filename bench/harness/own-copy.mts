// own-copy.mts — one loop, written once, compiled anew for every store that runs in it.
//
// V8 learns at each call site what it meets there.  A loop that calls `store.get` for three kinds of store learns that
// anything may come, and then inlines none of them; copied by hand, the loops would not stay alike.  So the source of
// the function is compiled again: the same text, with nothing learnt.
//
// The copy sees its arguments and the globals, and nothing else: no import, no constant of the module it is written in.

import vm from 'node:vm';

export function ownCopy<Loop extends (...args: never[]) => unknown>(loop: Loop, owner: string): Loop {
  // The owner's name is in the text as well: V8 gives the same code for the same text.
  const source = `'use strict'; /* ${owner} */ (${loop})`;
  return vm.runInThisContext(source, { filename: `${loop.name}-of-${owner}.js` }) as Loop;
}
