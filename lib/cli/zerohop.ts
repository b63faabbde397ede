#!/usr/bin/env node
// zerohop.ts: the program `zerohop`.

import { main } from './main.js';

// Who reads our output may have seen enough (`zerohop keys | head`).
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
