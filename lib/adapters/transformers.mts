// The ES module face of `zerohop/transformers`; see index.mts.
export {
  type PutProgress,
  type TransformersCache,
  type TransformersCacheOptions,
  transformersCache,
} from './transformers.js';
