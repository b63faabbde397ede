// native-resp.ts: servers, as native code has them (native/binding/resp_binding.cc).

/** What a server is started with; every member is there. */
export interface ServerSettings {
  readonly tcp: boolean;
  readonly port: number;
  /** Addresses; one with `-` in front may be missing on the machine. */
  readonly hosts: readonly string[];
  /** `''`: no unix socket. */
  readonly path: string;
  readonly pathMode: number;
  readonly threads: number;
  readonly ioUring: boolean;
  readonly password: string;
  readonly users: readonly string[];
  readonly protectedMode: boolean;
  readonly maxClients: number;
  /** 0: for ever. */
  readonly idleSeconds: number;
  readonly bulkBytes: number;
  /** For each database the name of a keyspace, or the handle of an open one. None: every keyspace is one. */
  readonly databases: readonly (string | number)[];
}

export interface NativeResp {
  /** Returns the server's number, which is known in all threads of the process. */
  serverStart(handle: number, settings: ServerSettings): number;
  /** What ZH.STATS tells beside the engine's figures: members of a JSON object, without its braces. */
  serverSections(server: number, members: string): void;
  serverPort(server: number): number;
  serverStats(server: number): number[];
  /** For each command that was measured: its name, and its times as NativeObserve.spaceTimes fills them. */
  serverTimes(server: number): (string | Float64Array)[];
  /** The same in TIME_BUCKETS buckets. */
  serverBuckets(server: number): (string | Float64Array)[];
  /** Whether the user `default` may log in with this password. */
  serverAdmits(server: number, password: string): boolean;
  /** Whether clients of other machines are refused: protected mode, and the user `default` has no password. */
  serverRefusesStrangers(server: number): boolean;
  serverStop(server: number): void;
  /** Stops taking clients; settles when those that are there are gone, or the time is over. */
  serverDrain(server: number, ms: number, control: Int32Array): Promise<true | string>;
  /** What streams are opened with. `output` gets replies; not a byte when the server has closed the stream. */
  serverCarrier(output: (stream: number, bytes: Uint8Array) => void): unknown;
  serverOpenStream(server: number, carrier: unknown, peer: string, local: string): number;
  /** False: the stream takes no more just now. */
  serverFeed(server: number, stream: number, bytes: Uint8Array): boolean;
  /** So many bytes of its replies were passed on: without it the server sends no more than 1 MiB. */
  serverSent(server: number, stream: number, bytes: number): void;
  serverCloseStream(server: number, stream: number): void;
}

/** The same names, for the check at the start. */
export const RESP_FUNCTIONS = {
  serverStart: true,
  serverSections: true,
  serverPort: true,
  serverStats: true,
  serverTimes: true,
  serverBuckets: true,
  serverAdmits: true,
  serverRefusesStrangers: true,
  serverStop: true,
  serverDrain: true,
  serverCarrier: true,
  serverOpenStream: true,
  serverFeed: true,
  serverSent: true,
  serverCloseStream: true,
} satisfies Record<keyof NativeResp, true>;
