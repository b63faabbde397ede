// attach.ts: gives every cache its `blobs`.

import type { DurationText, SizeText } from '../base/options.js';
import { addRoom } from '../cache/rooms.js';
import { Blobs, type BlobsOptions } from './blobs.js';

declare module '../cache/cache.js' {
  interface Cache {
    /**
     * Files on a volume that processes map, for content that a program loads at its start. They are not in the cache,
     * and outlive its `close`.
     */
    readonly blobs: Blobs;
  }
}

declare module '../cache/options.js' {
  interface OpenOptions<Text extends string = SizeText | DurationText> {
    /** Where `blobs` are kept. */
    blobs?: BlobsOptions | undefined;
  }
}

addRoom({
  option: 'blobs',
  prepare: (value) => new Blobs(value as BlobsOptions | undefined),
  attach: (cache, blobs) => Object.assign(cache, { blobs }),
});
