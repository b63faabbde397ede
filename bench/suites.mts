// suites.mts — every benchmark that `npm run bench -- SUITE` can run.
//
// A suite is one program.  It ends by itself, checks every answer it measures, and understands
// `--quick` (a shorter run) and `--json FILE` (the raw figures); see harness/arguments.mts.

/** Something a suite would like to find on the machine; without it the suite still runs. */
export interface WantedTool {
  /** Any one of these commands will do. */
  readonly commands: readonly string[];
  /** The Debian package that brings them. */
  readonly debianPackage: string;
}

export interface Suite {
  readonly name: string;
  /** The question it answers, in one line. */
  readonly about: string;
  /** The compiled program, relative to this folder. */
  readonly module: string;
  /** Held on one core by taskset, where there is a taskset: for loops of a few nanoseconds. */
  readonly pinned: boolean;
  readonly nodeFlags: readonly string[];
  readonly wants: readonly WantedTool[];
}

export const suites: readonly Suite[] = [
  {
    name: 'start',
    about: 'embeddings under a real request trace: zerohop, lru-cache, lmdb and Redis side by side',
    module: 'main/start.mjs',
    pinned: false, // Redis and the garbage collector's helpers need the other cores
    nodeFlags: ['--expose-gc'],
    // redis-tools and not redis-server: on Debian it holds the server's binary too (redis-server is
    // a link to redis-check-rdb), and installing it starts no daemon on anyone's port 6379.
    wants: [{ commands: ['redis-server', 'redis-check-rdb'], debianPackage: 'redis-tools' }],
  },
  {
    name: 'reclaim',
    about: 'does memory that JavaScript has seen come back in time, and what does that cost?',
    module: 'cache/reclaim.mjs',
    pinned: false, // collections run on several threads
    nodeFlags: [],
    wants: [],
  },
];
