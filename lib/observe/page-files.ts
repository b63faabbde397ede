// page-files.ts: the files of the dashboard page, as they are built into dist/observe/page (.ci/build-page.mjs).
//
// They come from this folder and nowhere else, and a path that is not in the list is not looked for. The page may load
// nothing from another host, runs no script within its text, and makes no HTML of what it is told.

import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** By path: name and type. */
export const PAGE_FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
};

interface Loaded {
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

const loaded = new Map<string, Loaded>();

function load(file: string): Loaded {
  let found = loaded.get(file);
  if (found === undefined) {
    const plain = readFileSync(path.join(__dirname, 'page', file));
    found = { plain, gzip: gzipSync(plain, { level: 9 }) };
    loaded.set(file, found);
  }
  return found;
}

/** Answers with a file of the list. @throws of the file system: the package is not whole. */
export function sendPageFile(place: string, request: IncomingMessage, response: ServerResponse): void {
  const [file, type] = PAGE_FILES[place]!;
  const { plain, gzip } = load(file);
  const compressed = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(`${request.headers['accept-encoding'] ?? ''}`);
  const body = compressed ? gzip : plain;
  response.writeHead(200, {
    ...PAGE_HEADERS,
    'Content-Type': type,
    'Content-Length': body.length,
    Vary: 'Accept-Encoding',
    ...(compressed && { 'Content-Encoding': 'gzip' }),
  });
  response.end(body); // for HEAD, Node leaves the body out
}
