// access.ts: who may see the metrics and the page.
//
//   Host       a connection to loopback must name loopback. Else a site could give its own name this address, and have
//              a browser read everything for it (DNS rebinding).
//   origin     no other site's page may ask, other than by a link
//   password   the one of the server, by HTTP's Basic scheme; the user's name does not matter
//   strangers  without a password the page is for this machine alone, as the server is (protected mode)
//
// Passwords are in no message and no log.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Server } from '../resp/serve.js';

/** Whose password it is. May throw `ERR_CACHE_CLOSED`. */
export interface Guard {
  /** '' is what somebody says who says nothing. Takes the same time for each password of one length. */
  admits(password: string): boolean;
  /** Whether other machines are refused, for want of a password. */
  refusesStrangers(): boolean;
}

export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param password  undefined: there is none */
export function passwordGuard(password: string | undefined): Guard {
  if (password === undefined) return { admits: () => true, refusesStrangers: () => true };
  const digest = sha256(password);
  return { admits: (given) => timingSafeEqual(sha256(given), digest), refusesStrangers: () => false };
}

/** As the server does, whatever its clients change of it. */
export function serverGuard(server: Server): Guard {
  return { admits: (password) => server.admits(password), refusesStrangers: () => server.refusesStrangers() };
}

/** Why the request is refused. `isPage`: it is for the page, not for metrics. */
export function refusalOf(request: IncomingMessage, guard: Guard, isPage: boolean): Refusal | undefined {
  const { headers, socket } = request;
  if (isLoopback(socket.localAddress) && !namesLoopback(headers.host))
    return { status: 421, text: 'this is not the host that was asked for: ask for localhost or 127.0.0.1' };
  const site = headers['sec-fetch-site'];
  if ((site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate')
    return { status: 403, text: 'another site cannot ask' };
  if (!guard.admits(passwordIn(headers.authorization)))
    return {
      status: 401,
      text: 'a password is needed',
      headers: { 'WWW-Authenticate': 'Basic realm="zerohop", charset="UTF-8"' },
    };
  if (isPage && guard.refusesStrangers() && !isLoopback(socket.remoteAddress))
    return {
      status: 403,
      text: 'there is no password, so this page is for its own machine; set one, or read /metrics',
    };
  return undefined;
}

function passwordIn(authorization: string | undefined): string {
  const encoded = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '')?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(address);
}

/** A name of loopback, with or without a port. */
function namesLoopback(host: string | undefined): boolean {
  const name = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(host ?? '');
  const [, bracketed, plain = ''] = name ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6 && isLoopback(bracketed);
  return plain.toLowerCase() === 'localhost' || (isIP(plain) === 4 && isLoopback(plain));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
