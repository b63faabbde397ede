// tls-worker.ts: the thread that does a server's TLS; see tls.ts.

import { createServer, type TLSSocket } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../addon/native.js';
import { setTimeout } from '../base/time.js';
import type { TlsWorkerData, TlsWorkerMessage } from './tls.js';
import { urlOf } from './tls.js';

/** A client that sends faster than it is served is asked again after so long. */
const RETRY_MS = 5;

/** A client has so long for its handshake. */
const HANDSHAKE_MS = 10_000;

const { server, port, hosts, cert, key, ca } = workerData as TlsWorkerData;

function say(message: TlsWorkerMessage): void {
  parentPort?.postMessage(message);
}

const sockets = new Map<number, TLSSocket>();

const carrier = native.serverCarrier((stream, bytes) => {
  const socket = sockets.get(stream);
  if (bytes.length === 0) socket?.end();
  else socket?.write(bytes, () => native.serverSent(server, stream, bytes.length));
});

/** Joins a decrypted connection to a stream of the server. */
function join(socket: TLSSocket): void {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
  const peer = urlOf('', remoteAddress, remotePort).slice('://'.length);
  const local = urlOf('', localAddress, localPort).slice('://'.length);
  const stream = native.serverOpenStream(server, carrier, peer, local);
  sockets.set(stream, socket);
  const feed = (chunk: Uint8Array) => {
    if (socket.destroyed || native.serverFeed(server, stream, chunk)) return;
    socket.pause();
    setTimeout(() => {
      socket.resume();
      feed(chunk);
    }, RETRY_MS);
  };
  socket.setNoDelay(true);
  socket.on('data', feed);
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => {
    sockets.delete(stream);
    native.serverCloseStream(server, stream);
  });
}

function listen(): void {
  const options = { cert, key, handshakeTimeout: HANDSHAKE_MS };
  const asking = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  const [first, ...others] = hosts.map((host) => ({ host, server: createServer({ ...options, ...asking }, join) }));
  const fail = ({ message }: Error) => say({ error: `TLS: ${message}` });
  first!.server.once('error', fail).listen(port, first!.host, () => {
    const bound = (first!.server.address() as { port: number }).port;
    let left = others.length;
    if (left === 0) say({ port: bound });
    for (const { host, server } of others) {
      const listening = () => {
        if (--left === 0) say({ port: bound });
      };
      const optional = host.startsWith('-');
      server.once('error', optional ? listening : fail).listen(bound, optional ? host.slice(1) : host, listening);
    }
  });
}

try {
  listen();
} catch (error) {
  say({ error: `TLS: ${(error as Error).message}` }); // the key does not fit the certificate
}
