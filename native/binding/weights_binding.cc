// Weights: files in the address space, their headers, windows over them, digests.
//
// What a file did wrong is no exception here but an answer: [code, message, offset], or a message alone; lib/weights/
// throws it with the file's name.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/functions.h"
#include "binding/job.h"
#include "binding/weights_file.h"
#include "weights/digest.h"
#include "weights/fault_guard.h"
#include "weights/file_lock.h"
#include "weights/gguf.h"
#include "weights/gguf_split.h"
#include "weights/load.h"
#include "weights/mapped_file.h"
#include "weights/safetensors.h"

namespace zerohop::binding {
namespace {

// Asked by native work how it goes, on whatever thread.
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

napi_value RefusalOf(napi_env env, const Refusal& refusal) {
  napi_value list = nullptr;
  if (napi_create_array_with_length(env, 3, &list) != napi_ok ||
      napi_set_element(env, list, 0, Text(env, refusal.code)) != napi_ok ||
      napi_set_element(env, list, 1, Text(env, refusal.message)) != napi_ok ||
      napi_set_element(env, list, 2, Double(env, static_cast<double>(refusal.offset))) != napi_ok) {
    return nullptr;
  }
  return list;
}

// Lists filled from within handle scopes of their own: there may be millions of items.
template <class Item>
napi_value ListOf(napi_env env, const std::vector<Item>& items, const std::function<napi_value(const Item&)>& make) {
  napi_value list = nullptr;
  if (napi_create_array_with_length(env, items.size(), &list) != napi_ok) return nullptr;
  for (size_t i = 0; i < items.size(); ++i) {
    const HandleScope scope(env);
    napi_value item = make(items[i]);
    if (item == nullptr || napi_set_element(env, list, static_cast<uint32_t>(i), item) != napi_ok) return nullptr;
  }
  return list;
}

napi_value NumbersOf(napi_env env, const std::vector<double>& numbers) {
  void* data = nullptr;
  napi_value buffer, array;
  if (napi_create_arraybuffer(env, numbers.size() * sizeof(double), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, numbers.size(), buffer, 0, &array) != napi_ok) {
    return nullptr;
  }
  if (!numbers.empty()) std::memcpy(data, numbers.data(), numbers.size() * sizeof(double));
  return array;
}

napi_value PairsOf(napi_env env, const NamedTexts& pairs) {
  return ListOf<NamedTexts::value_type>(env, pairs, [env](const NamedTexts::value_type& pair) -> napi_value {
    napi_value list = nullptr;
    if (napi_create_array_with_length(env, 2, &list) != napi_ok ||
        napi_set_element(env, list, 0, Text(env, pair.first)) != napi_ok ||
        napi_set_element(env, list, 1, Text(env, pair.second)) != napi_ok) {
      return nullptr;
    }
    return list;
  });
}

// { names, dtypes, blocks, shapes, places, metadata }; of blocks and places two numbers a tensor.
napi_value HeaderOf(napi_env env, const std::vector<Tensor>& tensors, napi_value metadata) {
  std::vector<double> places, blocks;
  places.reserve(2 * tensors.size());
  blocks.reserve(2 * tensors.size());
  for (const Tensor& tensor : tensors) {
    blocks.push_back(tensor.dtype->block_elements);
    blocks.push_back(tensor.dtype->block_bits);
    places.push_back(static_cast<double>(tensor.begin));
    places.push_back(static_cast<double>(tensor.end));
  }
  const std::pair<const char*, napi_value> fields[] = {
      {"names", ListOf<Tensor>(env, tensors, [env](const Tensor& one) { return Text(env, one.name); })},
      {"dtypes", ListOf<Tensor>(env, tensors, [env](const Tensor& one) { return Text(env, one.dtype->name); })},
      {"blocks", NumbersOf(env, blocks)},
      {"shapes", ListOf<Tensor>(env, tensors,
                                [env](const Tensor& one) {
                                  return ListOf<uint64_t>(env, one.shape, [env](const uint64_t& dimension) {
                                    return Double(env, static_cast<double>(dimension));
                                  });
                                })},
      {"places", NumbersOf(env, places)},
      {"metadata", metadata}};
  napi_value header = nullptr;
  if (napi_create_object(env, &header) != napi_ok) return nullptr;
  for (const auto& [name, value] : fields) {
    if (value == nullptr || napi_set_named_property(env, header, name, value) != napi_ok) return nullptr;
  }
  return header;
}

napi_value ParseSafetensorsFile(napi_env env, const MappedFile& file, std::span<const std::byte> first) {
  const Parsed<uint64_t> length = SafetensorsHeaderBytes(first, file.size());
  if (const auto* refusal = std::get_if<Refusal>(&length)) return RefusalOf(env, *refusal);
  std::vector<std::byte> head(kSafetensorsLengthBytes + std::get<uint64_t>(length));
  // Of the file and not of its pages: what is checked is what is believed.
  const Status status = file.Read(0, head);
  if (!status.ok()) return RefusalOf(env, {"ERR_WEIGHTS_CHANGED", status.detail(), 0});
  const Parsed<SafetensorsHeader> parsed = ParseSafetensors(head, file.size());
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return RefusalOf(env, *refusal);
  const auto& header = std::get<SafetensorsHeader>(parsed);
  return HeaderOf(env, header.tensors, PairsOf(env, header.metadata));
}

// Values are told by their places: [key, type, element type, count, begin, end].
napi_value ValuesOf(napi_env env, const std::vector<GgufValue>& values) {
  return ListOf<GgufValue>(env, values, [env](const GgufValue& value) -> napi_value {
    napi_value list = nullptr;
    const napi_value items[] = {Text(env, value.key),
                                Int(env, static_cast<int32_t>(value.type)),
                                Int(env, static_cast<int32_t>(value.element)),
                                Double(env, static_cast<double>(value.count)),
                                Double(env, static_cast<double>(value.begin)),
                                Double(env, static_cast<double>(value.end))};
    if (napi_create_array_with_length(env, std::size(items), &list) != napi_ok) return nullptr;
    for (uint32_t i = 0; i < std::size(items); ++i) napi_set_element(env, list, i, items[i]);
    return list;
  });
}

napi_value ParseGgufFile(napi_env env, const MappedFile& file) {
  constexpr uint64_t kFirst = uint64_t{1} << 20;
  std::vector<std::byte> head;
  for (uint64_t wanted = kFirst;;) {
    const uint64_t known = head.size();
    head.resize(std::min(wanted, file.size()));
    const Status status = file.Read(known, std::span(head).subspan(known));
    if (!status.ok()) return RefusalOf(env, {"ERR_WEIGHTS_CHANGED", status.detail(), known});
    const Parsed<GgufHeader> parsed = ParseGguf(head, file.size());
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
      if (refusal->code != "ERR_WEIGHTS_MORE_NEEDED") return RefusalOf(env, *refusal);
      wanted = std::max<uint64_t>(refusal->offset, 2 * head.size());
      continue;
    }
    const auto& header = std::get<GgufHeader>(parsed);
    return HeaderOf(env, header.tensors, ValuesOf(env, header.metadata));
  }
}

unsigned ThreadsOf(napi_env env, napi_value value) {
  uint32_t threads = 1;
  napi_get_value_uint32(env, value, &threads);
  return std::clamp(threads, 1u, 64u);
}

}  // namespace

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
  if (!file.ok()) return Text(env, file.status().detail());
  auto owned = std::make_unique<OpenedFile>(OpenedFile{std::move(file.value()), nullptr});
  napi_value value;
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<OpenedFile*>(data); };
  if (napi_create_external(env, owned.get(), drop, nullptr, &value) != napi_ok) return nullptr;
  static_cast<void>(owned.release());  // the external value has it
  return value;
}

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

napi_value WeightsParse(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  std::array<std::byte, kSafetensorsLengthBytes> first{};
  const auto bytes = std::span(first).first(std::min<uint64_t>(first.size(), (*file)->size()));
  const Status status = (*file)->Read(0, bytes);
  if (!status.ok()) return RefusalOf(env, {"ERR_WEIGHTS_CHANGED", status.detail(), 0});
  constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
  const bool is_gguf = bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
  return is_gguf ? ParseGgufFile(env, **file) : ParseSafetensorsFile(env, **file, bytes);
}

napi_value WeightsParseIndex(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  Bytes text;
  if (!ReadView(env, args[0], "index", &text)) return nullptr;
  const Parsed<NamedTexts> parsed = ParseShardIndex(text);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return RefusalOf(env, *refusal);
  return PairsOf(env, std::get<NamedTexts>(parsed));
}

napi_value WeightsSplitNames(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  std::string name;
  if (!ReadString(env, args[0], &name)) return nullptr;
  const Parsed<std::vector<std::string>> names = GgufSplitNames(name);
  if (std::holds_alternative<Refusal>(names)) return nullptr;
  return ListOf<std::string>(env, std::get<std::vector<std::string>>(names),
                             [env](const std::string& one) { return Text(env, one); });
}

napi_value WeightsWindow(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0, bytes = 0;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadCount(env, args[2], &bytes)) {
    return nullptr;
  }
  if (from > (*file)->size() || bytes > (*file)->size() - from) return ThrowRange(env, "window: beyond the file");
  // The pages and not the file: the buffer may outlive it, and holds no descriptor then.
  using Owner = std::shared_ptr<FilePages>;
  auto owner = std::make_unique<Owner>((*file)->pages());
  napi_value buffer;
  // On this environment's thread, and touching nothing of it.
  const auto drop = [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); };
  if (napi_create_external_arraybuffer(env, (*file)->bytes() + from, bytes, drop, owner.get(), &buffer) != napi_ok) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending) return nullptr;  // too long for this Node: its own error says so
    return ThrowRange(env, "window: this runtime allows no memory from outside");
  }
  static_cast<void>(owner.release());  // the buffer has it
  return buffer;
}

napi_value AccountExternal(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  int64_t bytes = 0, total = 0;
  if (napi_get_value_int64(env, args[0], &bytes) == napi_ok) napi_adjust_external_memory(env, bytes, &total);
  return nullptr;
}

napi_value WeightsDetach(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  return Bool(env, napi_detach_arraybuffer(env, args[0]) == napi_ok);
}

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
  return status.ok() ? nullptr : Text(env, status.detail());
}

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
  return whole ? nullptr : Text(env, "the file was cut since it was opened");
}

napi_value WeightsResident(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  return file == nullptr || *file == nullptr ? nullptr : Double(env, static_cast<double>((*file)->ResidentBytes()));
}

napi_value WeightsAdvise(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  File* const file = ReadFile(env, args[0]);
  uint64_t from = 0, bytes = 0;
  if (file == nullptr || *file == nullptr || !ReadCount(env, args[1], &from) || !ReadCount(env, args[2], &bytes)) {
    return nullptr;
  }
  return Bool(env, (*file)->WillNeed(from, bytes));
}

napi_value WeightsLock(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  File* const file = ReadFile(env, args[0]);
  if (file == nullptr || *file == nullptr) return nullptr;
  const Status status = (*file)->Lock();
  return status.ok() ? nullptr : Text(env, status.detail());
}

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

napi_value BytesDigest(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  Bytes bytes;
  return ReadView(env, args[0], "bytes", &bytes) ? BufferOf(env, DigestOfBytes(bytes)) : nullptr;
}

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

napi_value LockTake(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  std::string path;
  bool shared = false;
  if (!ReadString(env, args[0], &path)) return nullptr;
  if (napi_get_value_bool(env, args[1], &shared) != napi_ok) return ThrowType(env, "lockTake: expected a boolean");
  auto lock = FileLock::TryTake(path, shared);
  if (!lock.ok()) return Text(env, lock.status().detail());
  if (lock.value() == nullptr) return nullptr;
  napi_value value;
  const auto drop = [](napi_env, void* data, void*) { delete static_cast<std::unique_ptr<FileLock>*>(data); };
  auto owned = std::make_unique<std::unique_ptr<FileLock>>(std::move(lock.value()));
  if (napi_create_external(env, owned.get(), drop, nullptr, &value) != napi_ok) return nullptr;
  static_cast<void>(owned.release());  // the external value has it
  return value;
}

napi_value LockRelease(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  void* lock = nullptr;
  if (napi_get_value_external(env, args[0], &lock) != napi_ok || lock == nullptr) {
    return ThrowType(env, "lock: expected what lockTake gave");
  }
  static_cast<std::unique_ptr<FileLock>*>(lock)->reset();
  return nullptr;
}

}  // namespace zerohop::binding
