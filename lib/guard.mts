// The ES module face of `zerohop/guard`; see guard.ts.
import './guard.js';
