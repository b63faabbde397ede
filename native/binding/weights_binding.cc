// weights_binding.cc: files in the address space, windows over them, their digests, and native work beside the event
// loop.
//
// If something is wrong with a file, a function does not throw.  It answers with a refusal, [code, message, offset],
// which lib/weights/ throws with the file's name.
#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/os_memory.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/function_table.h"
#include "binding/job.h"
#include "binding/weights_file.h"
#include "weights/digest.h"
#include "weights/fault_guard.h"
#include "weights/file_lock.h"
#include "weights/load.h"
#include "weights/mapped_file.h"

namespace zerohop::binding {
namespace {

// Native work calls this on any thread: it counts what is done, and tells whether to go on.
GoOn TellTo(const Control& control) {
  return [control](uint64_t bytes) {
    control.Done(bytes >> 10);
    return control.GoOn();
  };
}

napi_value BufferOf(napi_env env, const Digest& digest) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_arraybuffer(env, digest.size(), &data, &buffer) != napi_ok) return nullptr;
  std::memcpy(data, digest.data(), digest.size());
  return buffer;
}

unsigned ThreadsOf(napi_env env, napi_value value) {
  uint32_t threads = 1;
  napi_get_value_uint32(env, value, &threads);
  return std::clamp(threads, 1u, 64u);
}

// weightsOpen(path, strategy, follow): the file, as an external value; or a refusal.
napi_value WeightsOpen(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  std::string path;
  uint32_t strategy = 0;
  bool follow = false;
  if (!ReadString(env, args[0], &path) || napi_get_value_uint32(env, args[1], &strategy) != napi_ok || strategy > 3 ||
      napi_get_value_bool(env, args[2], &follow) != napi_ok) {
    return ThrowType(env, "weightsOpen: expected (string, number, boolean)");
  }
  Result<File> file = MappedFile::Open(path, static_cast<MapStrategy>(strategy), follow);
  if (!file.ok()) return RefusalOf(env, file.status());
  auto owned = std::make_unique<OpenedFile>(OpenedFile{std::move(file.value()), nullptr});
  napi_value value;
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<OpenedFile*>(data); };
  if (napi_create_external(env, owned.get(), drop, nullptr, &value) != napi_ok) return nullptr;
  static_cast<void>(owned.release());  // the external value has it
  return value;
}

// weightsFacts(file): { size, mapped, changed, identity, owner, mode, changedMs }.
napi_value WeightsFacts(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  const MappedFile::Identity& identity = (*file)->identity();
  Napi::Object facts = Napi::Object::New(env);
  facts.Set("size", Napi::Number::New(env, static_cast<double>((*file)->size())));
  facts.Set("mapped", Napi::Boolean::New(env, (*file)->mapped()));
  facts.Set("changed", Napi::Boolean::New(env, (*file)->Changed()));
  facts.Set("owner", Napi::Number::New(env, (*file)->owner()));
  facts.Set("mode", Napi::Number::New(env, (*file)->mode()));
  facts.Set("changedMs", Napi::Number::New(env, static_cast<double>(identity.changed_ns) / 1e6));
  facts.Set("identity",
            Napi::String::New(env, std::to_string(identity.device) + ":" + std::to_string(identity.inode) + ":" +
                                       std::to_string(identity.size) + ":" + std::to_string(identity.modified_ns) +
                                       ":" + std::to_string(identity.changed_ns)));
  return facts;
}

// weightsWindow(file, from, bytes): an ArrayBuffer over the mapping.  The mapping stays as long as the buffer's memory
// is used.
napi_value WeightsWindow(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0, bytes = 0;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadCount(env, args[2], &bytes)) {
    return nullptr;
  }
  if (from > (*file)->size() || bytes > (*file)->size() - from) return ThrowRange(env, "window: beyond the file");
  // The buffer keeps the pages, not the file: it may outlive the file, and holds no descriptor then.
  using Owner = std::shared_ptr<FilePages>;
  auto owner = std::make_unique<Owner>((*file)->pages());
  napi_value buffer;
  // Runs on this environment's thread, and touches nothing of the environment.
  const auto drop = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
  if (napi_create_external_arraybuffer(env, (*file)->bytes() + from, bytes, drop, owner.get(), &buffer) != napi_ok) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending) return nullptr;  // too long for this Node, which has thrown its own error
    return ThrowRange(env, "window: this runtime allows no memory from outside");
  }
  static_cast<void>(owner.release());  // the buffer has it
  return buffer;
}

// accountExternal(bytes): tells V8 that so many more bytes, or fewer, are held here.  Take off only what was added.
napi_value AccountExternal(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  int64_t bytes = 0, total = 0;
  if (napi_get_value_int64(env, args[0], &bytes) == napi_ok) napi_adjust_external_memory(env, bytes, &total);
  return nullptr;
}

// weightsDetach(buffer): whether the buffer could be detached, which empties it and all its views.
napi_value WeightsDetach(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  return Bool(env, napi_detach_arraybuffer(env, args[0]) == napi_ok);
}

// weightsRelease(file, discard): the external value does not keep the file any more.  `discard`: the pages become
// zeros, and their range stays taken while the value lives.
napi_value WeightsRelease(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  bool discard = false;
  OpenedFile* const opened = ReadOpenedFile(env, args[0]);
  if (opened == nullptr || opened->file == nullptr) return nullptr;
  if (napi_get_value_bool(env, args[1], &discard) != napi_ok)
    return ThrowType(env, "weightsRelease: expected a boolean");
  const std::shared_ptr<FilePages> pages = opened->file->pages();
  opened->file.reset();
  if (discard) {
    pages->Discard();
    opened->kept = pages;
  } else {
    pages->Unlock();
  }
  return nullptr;
}

// weightsRead(file, from, out): undefined, or a refusal.
napi_value WeightsRead(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0;
  Bytes out;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadView(env, args[2], "out", &out)) {
    return nullptr;
  }
  if (from > (*file)->size() || out.size() > (*file)->size() - from) return ThrowRange(env, "read: beyond the file");
  const Status status = (*file)->Read(from, {const_cast<std::byte*>(out.data()), out.size()});
  return status.ok() ? nullptr : RefusalOf(env, status, from);
}

// weightsCopy(file, from, out): as weightsRead, but from the pages: with what a program wrote to them, or with what was
// read into them.
napi_value WeightsCopy(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0;
  Bytes out;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadView(env, args[2], "out", &out)) {
    return nullptr;
  }
  if (from > (*file)->size() || out.size() > (*file)->size() - from) return ThrowRange(env, "copy: beyond the file");
  const std::byte* const pages = (*file)->bytes() + from;
  auto* const to = const_cast<std::byte*>(out.data());
  const bool whole = ReadGuarded(pages, out.size(), [&] { std::memcpy(to, pages, out.size()); });
  return whole ? nullptr : RefusalOf(env, {Code::kChanged, "the file was cut since it was opened"}, from);
}

napi_value WeightsResident(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  return file == nullptr || *file == nullptr ? nullptr : Double(env, static_cast<double>((*file)->ResidentBytes()));
}

// weightsHuge(files): how many bytes of them all lie in huge pages.
napi_value WeightsHuge(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  uint32_t count = 0;
  if (napi_get_array_length(env, args[0], &count) != napi_ok) {
    return ThrowType(env, "weightsHuge: expected an array of files");
  }
  std::vector<std::span<const std::byte>> ranges;
  for (uint32_t i = 0; i < count; ++i) {
    napi_value each = nullptr;
    if (napi_get_element(env, args[0], i, &each) != napi_ok) return nullptr;
    File* const file = ReadFile(env, each);
    if (file == nullptr || *file == nullptr) return nullptr;
    ranges.emplace_back((*file)->bytes(), (*file)->size());
  }
  return Double(env, static_cast<double>(BytesInHugePages(ranges)));
}

// weightsAdvise(file, from, bytes): whether the system takes the advice that these bytes are used next.
napi_value WeightsAdvise(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0, bytes = 0;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadCount(env, args[2], &bytes)) {
    return nullptr;
  }
  return Bool(env, (*file)->WillNeed(from, bytes));
}

// weightsLock(file): undefined, or a text that says what is wrong.
napi_value WeightsLock(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  const Status status = (*file)->Lock();
  return status.ok() ? nullptr : Text(env, status.detail());
}

// weightsLoad(file, threads, control): reads a file that is not mapped.  A promise of true, or of a refusal. `control`:
// the words of job.h, here and below.
napi_value WeightsLoad(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  if ((*file)->mapped()) return ThrowType(env, "weightsLoad: expected a file that is not mapped");
  return Job::Start(
      env, args[2], "zerohop load",
      [file = *file, threads = ThreadsOf(env, args[1])](const Control& control) {
        return LoadFile(*file, threads, TellTo(control));
      },
      [](napi_env env) { return Bool(env, true); });
}

// bytesDigest(bytes): the 32 bytes of a typed array's digest.
napi_value BytesDigest(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  Bytes bytes;
  return ReadView(env, args[0], "bytes", &bytes) ? BufferOf(env, DigestOfBytes(bytes)) : nullptr;
}

// weightsDigest(file, begin, end, threads, control): a promise of 32 bytes, or of a refusal.
napi_value WeightsDigest(napi_env env, napi_callback_info info) {
  const Arguments<5> args(env, info);
  File* const file = ReadFile(env, args[0]);
  FileRange range{};
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &range.begin) ||
      !ReadCount(env, args[2], &range.end)) {
    return nullptr;
  }
  if (range.begin > range.end || range.end > (*file)->size()) return ThrowRange(env, "digest: beyond the file");
  const auto digest = std::make_shared<Digest>();
  return Job::Start(
      env, args[4], "zerohop digest",
      [file = *file, digest, range, threads = ThreadsOf(env, args[3])](const Control& control) {
        Result<Digest> made = DigestOfFile(*file, range, threads, TellTo(control));
        if (!made.ok()) return made.status();
        *digest = made.value();
        return Status();
      },
      [digest](napi_env env) { return BufferOf(env, *digest); });
}

// weightsWarm(file, ranges, threads, control): reads ranges into the page cache.  A promise of true, or of a refusal.
napi_value WeightsWarm(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  File* const file = ReadFile(env, args[0]);
  size_t count = 0;
  napi_typedarray_type type;
  void* data = nullptr;
  if (file == nullptr || *file == nullptr) return nullptr;
  if (napi_get_typedarray_info(env, args[1], &type, &count, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || count % 2 != 0) {
    return ThrowType(env, "ranges: expected a Float64Array of pairs");
  }
  std::vector<FileRange> ranges;
  const auto* const numbers = static_cast<const double*>(data);
  for (size_t i = 0; i < count; i += 2) {
    if (!(numbers[i] >= 0 && numbers[i + 1] >= numbers[i] && numbers[i + 1] <= static_cast<double>((*file)->size()))) {
      return ThrowRange(env, "ranges: beyond the file");
    }
    ranges.push_back({static_cast<uint64_t>(numbers[i]), static_cast<uint64_t>(numbers[i + 1])});
  }
  return Job::Start(
      env, args[3], "zerohop prefetch",
      [file = *file, ranges = std::move(ranges), threads = ThreadsOf(env, args[2])](const Control& control) {
        return WarmFile(*file, ranges, threads, TellTo(control));
      },
      [](napi_env env) { return Bool(env, true); });
}

// lockTake(path, shared): a lock for one process; undefined if another one has it; a text that says why it cannot be
// had. `shared`: other users may take it too.
napi_value LockTake(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  std::string path;
  bool shared = false;
  if (!ReadString(env, args[0], &path)) return nullptr;
  if (napi_get_value_bool(env, args[1], &shared) != napi_ok) return ThrowType(env, "lockTake: expected a boolean");
  auto lock = FileLock::TryTake(path, shared);
  if (!lock.ok()) return RefusalOf(env, lock.status());
  if (lock.value() == nullptr) return nullptr;
  napi_value value;
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<std::unique_ptr<FileLock>*>(data); };
  auto owned = std::make_unique<std::unique_ptr<FileLock>>(std::move(lock.value()));
  if (napi_create_external(env, owned.get(), drop, nullptr, &value) != napi_ok) return nullptr;
  static_cast<void>(owned.release());  // the external value has it
  return value;
}

// lockRelease(lock): releases it.  It is also released when the value is collected, and when the process ends.
napi_value LockRelease(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  void* lock = nullptr;
  if (napi_get_value_external(env, args[0], &lock) != napi_ok || lock == nullptr) {
    return ThrowType(env, "lock: expected what lockTake gave");
  }
  static_cast<std::unique_ptr<FileLock>*>(lock)->reset();
  return nullptr;
}

constexpr Function kWeightsFunctions[] = {
    {"weightsOpen", Guarded<WeightsOpen>},         {"weightsFacts", Guarded<WeightsFacts>},
    {"weightsWindow", Guarded<WeightsWindow>},     {"accountExternal", Guarded<AccountExternal>},
    {"weightsDetach", Guarded<WeightsDetach>},     {"weightsRelease", Guarded<WeightsRelease>},
    {"weightsRead", Guarded<WeightsRead>},         {"weightsCopy", Guarded<WeightsCopy>},
    {"weightsResident", Guarded<WeightsResident>}, {"weightsAdvise", Guarded<WeightsAdvise>},
    {"weightsLock", Guarded<WeightsLock>},         {"weightsLoad", Guarded<WeightsLoad>},
    {"bytesDigest", Guarded<BytesDigest>},         {"weightsDigest", Guarded<WeightsDigest>},
    {"weightsWarm", Guarded<WeightsWarm>},         {"lockTake", Guarded<LockTake>},
    {"lockRelease", Guarded<LockRelease>},         {"weightsHuge", Guarded<WeightsHuge>},
};

}  // namespace

std::span<const Function> WeightsFunctions() { return kWeightsFunctions; }

}  // namespace zerohop::binding
