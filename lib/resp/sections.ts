// sections.ts: what rooms add to ZH.STATS. The command is answered by native threads, which run no JavaScript. So each
// server is given its sections as text, once a second, by the thread that started it.

import type { Cache } from '../cache/cache.js';

/** A member of ZH.STATS. */
export interface Section {
  /** A member's name that needs no escapes. */
  readonly name: string;
  /** What it tells, for JSON; undefined: it is left out. Called once a second for each server: it must be quick. */
  of(cache: Cache): unknown;
}

const sections: Section[] = [];

export function addSection(section: Section): void {
  sections.push(section);
}

/** As members of a JSON object, without its braces. */
export function sectionsOf(cache: Cache): string {
  return sections
    .flatMap(({ name, of }) => {
      const told = of(cache);
      return told === undefined ? [] : `"${name}":${JSON.stringify(told)}`;
    })
    .join();
}
