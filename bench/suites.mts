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
  /** npm packages whose addon has to be compiled, since install scripts are off; without them the suite still runs. */
  readonly rivals?: readonly string[];
  /** Targets of binding.gyp that it needs beside the addon: compiled when they are missing. */
  readonly targets?: readonly string[];
}

// redis-tools and not redis-server: on Debian it holds the server's binary too (redis-server is
// a link to redis-check-rdb), and installing it starts no daemon on anyone's port 6379.
const REDIS: WantedTool = { commands: ['redis-server', 'redis-check-rdb'], debianPackage: 'redis-tools' };

const ZSTD: WantedTool = { commands: ['zstd'], debianPackage: 'zstd' };

const MEMCACHED: WantedTool = { commands: ['memcached'], debianPackage: 'memcached' };

export const suites: readonly Suite[] = [
  {
    name: 'start',
    about: 'embeddings under a real request trace: zerohop, lru-cache, lmdb and Redis side by side',
    module: 'main/start.mjs',
    pinned: false, // Redis and the garbage collector's helpers need the other cores
    nodeFlags: ['--expose-gc'],
    wants: [REDIS],
  },
  {
    name: 'reclaim',
    about: 'does memory that JavaScript has seen come back in time, and what does that cost?',
    module: 'cache/reclaim.mjs',
    pinned: false, // collections run on several threads
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'hit',
    about: 'a hit on resident vectors, against lru-cache, Map, lmdb and Redis',
    module: 'cache/hit.mjs',
    pinned: false,
    nodeFlags: ['--expose-gc'],
    wants: [REDIS],
  },
  {
    name: 'batch',
    about: 'a key in a batch of 1 000, against lru-cache, Redis and a C++ loop that only copies',
    module: 'cache/batch.mjs',
    pinned: false,
    nodeFlags: ['--expose-gc'],
    wants: [REDIS],
  },
  {
    name: 'churn',
    about: 'a set that evicts, against copying the same bytes; single gets meanwhile; the hit ratio',
    module: 'cache/churn.mjs',
    pinned: false,
    nodeFlags: ['--expose-gc'],
    wants: [],
  },
  {
    name: 'memory',
    about: 'bytes of memory for an entry of a 32-byte key and an 8-byte value, against Redis',
    module: 'cache/memory.mjs',
    pinned: false,
    nodeFlags: [],
    wants: [REDIS],
  },
  {
    name: 'gc',
    about: 'what a cacheful of vectors costs the garbage collector, against a Map',
    module: 'cache/gc.mjs',
    pinned: false, // collections run on several threads
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'workers',
    about: 'two workers on one cache that is written to, against two processes with a cache each',
    module: 'cache/workers.mjs',
    pinned: false, // two readers need two cores
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'hitratio',
    about: 'how many requests are answered, by what a cache keeps: our policy, the engine and others over traces',
    module: 'policy/hitratio.mjs',
    pinned: true,
    nodeFlags: ['--max-old-space-size=8192'],
    wants: [ZSTD],
    targets: ['zerohop_simulator'],
  },
  {
    name: 'policy-cost',
    about: 'what deciding what to keep costs a request, against a linked list (LRU) and S3-FIFO',
    module: 'policy/policy-cost.mjs',
    pinned: true,
    nodeFlags: [],
    wants: [ZSTD],
    targets: ['zerohop_simulator'],
  },
  {
    name: 'shifts',
    about: 'the hit rate while the workload changes: drift, a scan, a burst, a loop; and a picture of it',
    module: 'policy/shifts.mjs',
    pinned: true,
    nodeFlags: [],
    wants: [],
    targets: ['zerohop_simulator'],
  },
  {
    name: 'fingerprint',
    about: 'what naming a computation costs, alone and in batches, against node:crypto and @noble/hashes',
    module: 'fingerprint/fingerprint.mjs',
    pinned: true,
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'model',
    about:
      'what a memoised prediction costs beside the model, one by one and in batches, against an lru-cache under a hash',
    module: 'model/model.mjs',
    pinned: true,
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'weights',
    about: 'opening checkpoints, cold reads and digests, against readFile, Redis, dd and fio, and node:crypto',
    module: 'weights/weights.mjs',
    pinned: false, // prefetch has threads
    nodeFlags: [],
    wants: [REDIS, { commands: ['fio'], debianPackage: 'fio' }],
  },
  {
    name: 'tables',
    about: 'rows and scores of an embedding table, against Map, bare C++ loops, JavaScript and hnswlib',
    module: 'tables/tables.mjs',
    pinned: false, // topK has threads
    nodeFlags: ['--expose-gc'],
    wants: [],
    rivals: ['hnswlib-node'],
  },
  {
    name: 'micro',
    about: 'every public operation of keyspaces, fingerprints, models, tables and weights, in one table under a minute',
    module: 'micro/micro.mjs',
    pinned: true,
    nodeFlags: ['--expose-gc'],
    wants: [],
  },
  {
    name: 'instructions',
    about: 'machine instructions of a get, a set and a key of a batch, against the committed baseline',
    module: 'cache/instructions.mjs',
    pinned: false,
    nodeFlags: [],
    wants: [{ commands: ['valgrind'], debianPackage: 'valgrind' }],
  },
  {
    name: 'resp',
    about: 'a request over a socket, and the server CPU that it takes, against Redis and memcached',
    module: 'resp/resp.mjs',
    pinned: false, // the load generator needs the other core
    nodeFlags: [],
    wants: [REDIS, MEMCACHED],
    targets: ['zerohop_load'],
  },
  {
    name: 'redis-table',
    about: 'what a Node program waits for a value: Redis by two clients, zerohop over RESP and in the process',
    module: 'resp/redis-table.mjs',
    pinned: false, // the servers need the other core
    nodeFlags: [],
    wants: [REDIS],
  },
  {
    name: 'tier',
    about: 'a read with Redis behind L0, against node-redis, its own cache and bentocache; and is anything stale?',
    module: 'tier/tier.mjs',
    pinned: false, // Redis needs the other core
    nodeFlags: [],
    wants: [REDIS],
  },
  {
    name: 'scaling',
    about: 'what vectors take in L0 and Redis, and how many reads L0 answers; with --vectors: a plan for so many',
    module: 'tier/scaling.mjs',
    pinned: false, // Redis needs the other core
    nodeFlags: ['--max-old-space-size=8192'],
    wants: [REDIS],
    targets: ['zerohop_simulator'],
  },
  {
    name: 'observe',
    about: 'what metrics cost a get, and for how long a scrape of 1 000 keyspaces blocks the event loop',
    module: 'observe/observe.mjs',
    pinned: false,
    nodeFlags: [],
    wants: [],
  },
  {
    name: 'cli',
    about: 'what a user waits for the command line, beside Node itself',
    module: 'cli/cold-start.mjs',
    pinned: false,
    nodeFlags: [],
    wants: [],
  },
];
