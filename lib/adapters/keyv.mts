// The ES module face of `zerohop/keyv`; see index.mts.
export { type KeyvStore, keyvStore } from './keyv.js';
