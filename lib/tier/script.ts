// script.ts: a Lua script that Redis runs. A link tells Redis of all of them when it connects, and calls each by its hash.

import { createHash } from 'node:crypto';

export class Script {
  static readonly all: Script[] = [];
  readonly sha: string;

  /** @param text  of a script that lasts as long as the process */
  constructor(readonly text: string) {
    this.sha = createHash('sha1').update(text).digest('hex');
    Script.all.push(this);
  }
}
