// functions.h: the functions that lib/addon/native.ts declares, by the file that has them.
#pragma once

#include "binding/napi_setup.h"

namespace zerohop::binding {

// read_binding.cc
//
// find(handle, key, slab): buffer | kMiss | kCopied | kNeedSlab; offset, length and segment in the registers.
napi_value Find(napi_env env, napi_callback_info info);
// findNear(handle, key, slab): the same, and in the registers what a near cache must know of the answer.
napi_value FindNear(napi_env env, napi_callback_info info);
// peek(handle, key, slab): the same as find, uncounted.
napi_value Peek(napi_env env, napi_callback_info info);
// findMany(handle, keys, slab, locations, buffers, ends, count): hits; locations[3i..] = result, offset, length of
// keys[i], and buffers[segment] for each segment among the results.
napi_value FindMany(napi_env env, napi_callback_info info);
// gather(handle, keys, out, rowBytes, missing, ends, count): how many are missing; missing[..] = their places among the
// keys.
napi_value Gather(napi_env env, napi_callback_info info);
// copy(handle, key, peek): ArrayBuffer | undefined; uncounted if `peek`.
napi_value Copy(napi_env env, napi_callback_info info);
// check(handle, keys, ends, count): throws if one of them is no key, or the handle was closed.
napi_value Check(napi_env env, napi_callback_info info);
napi_value Has(napi_env env, napi_callback_info info);
// parting(handle, key): how it was last let go: 0 not remembered, 1 with its segment, 2 for maxEntries, 3 refused; what
// was known then, in the wide registers.
napi_value LastEviction(napi_env env, napi_callback_info info);
// describe(handle, key): whether there is such an entry; its facts in the wide registers.
napi_value Describe(napi_env env, napi_callback_info info);
// scan(handle, shard): the keys in one of 64 parts of the index.
napi_value Scan(napi_env env, napi_callback_info info);

// write_binding.cc
//
// set(handle, key, value): kStored | kRefused; its time to live and cost from the wide registers; how many entries it
// pushed out in the registers.
napi_value Set(napi_env env, napi_callback_info info);
// setTagged(handle, key, value, tags): the same.
napi_value SetTagged(napi_env env, napi_callback_info info);
// touch(handle, key, ttlUs): kStored | kRefused | kAbsent; ttlUs NaN: the entry's end stays.
napi_value Touch(napi_env env, napi_callback_info info);
napi_value Delete(napi_env env, napi_callback_info info);
napi_value DeleteByTag(napi_env env, napi_callback_info info);
// clear(handle): the keyspace; of space 0, everything.
napi_value Clear(napi_env env, napi_callback_info info);

// fingerprint_binding.cc
//
// hashStart(blocks, state): the state after whole blocks of 136 bytes, as 200 bytes.
napi_value HashStart(napi_env env, napi_callback_info info);
// hashText(state, kind, text, out): the digest of what `state` began with and the framed text; false: it has a lone
// surrogate.
napi_value HashText(napi_env env, napi_callback_info info);
// hashData(state, head, data, nans, out): the same of two parts (fingerprint/nans.h).
napi_value HashData(napi_env env, napi_callback_info info);
// hashTexts(state, texts, ends, out): the same of many texts, back to back; the first that has a lone surrogate, or -1.
napi_value HashTexts(napi_env env, napi_callback_info info);
// hashManyData(state, heads, data, nans, out): one head for all, or one each.
napi_value HashManyData(napi_env env, napi_callback_info info);

// inference_binding.cc
//
// findText(handle, state, kind, text, slab, digest): as find, of what is stored under the input's digest, which is
// written to `digest`; what is left of its time in the wide registers.  Undefined: the text has a lone surrogate.
napi_value FindText(napi_env env, napi_callback_info info);
// findData(handle, state, head, data, nans, slab, digest): the same.
napi_value FindData(napi_env env, napi_callback_info info);
// findTexts(handle, state, texts, ends, undefined, digests, slab, locations, buffers): as findMany; -1 - the place of
// the first text that has a lone surrogate.
napi_value FindTexts(napi_env env, napi_callback_info info);
// findManyData(handle, state, heads, data, nans, digests, slab, locations, buffers): the same.
napi_value FindManyData(napi_env env, napi_callback_info info);

// weights_binding.cc
//
// weightsOpen(path, strategy, follow): the file, as an external value; or what is wrong with it.
napi_value WeightsOpen(napi_env env, napi_callback_info info);
// weightsFacts(file): { size, mapped, changed, identity, owner, mode, changedMs }.
napi_value WeightsFacts(napi_env env, napi_callback_info info);
// weightsParse(file): { names, dtypes, shapes, places, metadata }; or [code, message, offset].
napi_value WeightsParse(napi_env env, napi_callback_info info);
// weightsParseIndex(text): pairs of tensor and shard; or [code, message, offset].
napi_value WeightsParseIndex(napi_env env, napi_callback_info info);
// weightsSplitNames(name): all files of a split GGUF, by the name of one; undefined: it is the name of none.
napi_value WeightsSplitNames(napi_env env, napi_callback_info info);
// weightsWindow(file, from, bytes): an ArrayBuffer over the mapping, which stays as long as the buffer's memory is
// used.
napi_value WeightsWindow(napi_env env, napi_callback_info info);
// accountExternal(bytes): tells V8 of so many bytes more that this holds, or fewer.
napi_value AccountExternal(napi_env env, napi_callback_info info);
// weightsDetach(buffer): empties it and all views of it.
napi_value WeightsDetach(napi_env env, napi_callback_info info);
// weightsRelease(file, discard): the external value keeps the file no more.  `discard`: of the pages nothing but zeros
// is left, and their range is not given to others while the value lives.
napi_value WeightsRelease(napi_env env, napi_callback_info info);
// weightsRead(file, from, out): undefined, or what is wrong.
napi_value WeightsRead(napi_env env, napi_callback_info info);
// weightsCopy(file, from, out): as weightsRead, from the pages: what a program wrote to them, or was read into them.
napi_value WeightsCopy(napi_env env, napi_callback_info info);
napi_value WeightsResident(napi_env env, napi_callback_info info);
// weightsAdvise(file, from, bytes): whether the system could be told.
napi_value WeightsAdvise(napi_env env, napi_callback_info info);
// weightsLock(file): undefined, or what is wrong.
napi_value WeightsLock(napi_env env, napi_callback_info info);
// weightsLoad(file, threads, control): reads a file that is not mapped; a promise of true, or of what is wrong.
napi_value WeightsLoad(napi_env env, napi_callback_info info);
// bytesDigest(bytes): the 32 bytes of a typed array's digest.
napi_value BytesDigest(napi_env env, napi_callback_info info);
// weightsDigest(file, begin, end, threads, control): a promise of 32 bytes, or of what is wrong.
napi_value WeightsDigest(napi_env env, napi_callback_info info);
// weightsWarm(file, ranges, threads, control): a promise of true, or of what is wrong.
napi_value WeightsWarm(napi_env env, napi_callback_info info);

// lockTake(path, shared): a lock for one process; undefined while another has it, a text if it can not be had.
// `shared`: its file is for other users, too.
napi_value LockTake(napi_env env, napi_callback_info info);
// lockRelease(lock).  It is also given back when the value is collected, and when the process ends.
napi_value LockRelease(napi_env env, napi_callback_info info);

// tensors_binding.cc
//
// tensorFloat32(file, begin, end, dtype, out?): how many elements there are, converted to `out` if that is given; -1:
// they can not be; a text: what is wrong with the file.
napi_value TensorFloat32(napi_env env, napi_callback_info info);
// tableFind(slots, words, rows, wide, key0, key1, ids, places): for each of the ids, an Int32Array, Uint32Array or
// Float64Array, its row or -1; slots and words are lib/weights/id-index.ts's.
napi_value TableFind(napi_env env, napi_callback_info info);
// Of these the first six are a table's vectors: file, begin, type (0 F32, 1 F16, 2 BF16, 3 I8), dimensions, rows, where
// the scales begin or 0.  An error ERR_WEIGHTS_CHANGED: the file was cut.
//
// tableGather(…, places, out): rows side by side; those of a place below 0 are left as they are.
napi_value TableGather(napi_env env, napi_callback_info info);
// tableDot(…, query, places, out): dot products.
napi_value TableDot(napi_env env, napi_callback_info info);
// tableTopK(…, query, places, scores, threads): how many were found, best first.
napi_value TableTopK(napi_env env, napi_callback_info info);

}  // namespace zerohop::binding
