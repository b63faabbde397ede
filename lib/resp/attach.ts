// attach.ts: gives every cache `admin`: a socket by which the command line looks into a running program.

import { Cache } from '../cache/cache.js';
import { addMethods } from '../cache/rooms.js';
import { type AdminOptions, adminOptions } from './options.js';
import { Server } from './serve.js';

declare module '../cache/cache.js' {
  interface Cache {
    /**
     * Lets `zerohop status`, `top`, `explain`, `get` and the other commands look into this cache, and change it, by a
     * unix socket: `zerohop status --url unix:/run/app.sock`. Every keyspace is a database: its number is the order in
     * which keyspaces were opened, from 0, which is the cache itself. Commands also take its name (`--keyspace`).
     *
     * Whoever may connect may read and change everything, also what belongs to scopes. So only this user may, unless
     * `pathMode` says more. A socket that a dead process left is replaced; one on which somebody listens is not.
     *
     * One thread of its own answers; no JavaScript runs for a request. The server keeps no process alive. It ends with
     * {@link Server.close}, which removes the socket, with the cache, and with the thread that called this.
     *
     * @throws {TypeError | RangeError} an option is wrong; or everybody may write to the folder of `path`.
     * @throws {CacheError} `ERR_CACHE_CLOSED`; `ERR_CACHE_IO`: it cannot listen there, and the message says why.
     * @example cache.admin({ path: '/run/app/zerohop.sock' })
     */
    admin(options: AdminOptions): Server;
  }
}

function admin(this: Cache, options: AdminOptions): Server {
  return Server.of(this, adminOptions(options)).unref();
}

addMethods(Cache.prototype, { admin });
