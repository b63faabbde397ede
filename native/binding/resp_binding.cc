// Servers that speak Redis's protocol (native/resp): start, stop, drain, figures, and streams that node:tls feeds.
//
// A server belongs to the environment that started it, and ends with it: a cleanup hook stops it and joins its threads,
// however the environment ends.  Other environments of the process reach it by its number: the worker that does TLS.
#include "binding/function_table.h"

#if defined(__linux__)

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "binding/call.h"
#include "binding/convert.h"
#include "binding/errors.h"
#include "binding/job.h"
#include "binding/numbers.h"
#include "resp/command_table.h"
#include "resp/server.h"
#include "resp/worker.h"

namespace zerohop::binding {
namespace {

// The running servers of the process, by number.  Never destroyed: threads may still run when static objects are.
class Servers {
 public:
  static Servers& Process() {
    static auto* const servers = new Servers();
    return *servers;
  }
  int32_t Add(std::shared_ptr<resp::Server> server) {
    MutexLock lock(mutex_);
    servers_.emplace(++last_, std::move(server));
    return last_;
  }
  std::shared_ptr<resp::Server> Find(int32_t number) {
    MutexLock lock(mutex_);
    const auto found = servers_.find(number);
    return found == servers_.end() ? nullptr : found->second;
  }
  std::shared_ptr<resp::Server> Take(int32_t number) {
    MutexLock lock(mutex_);
    const auto found = servers_.find(number);
    if (found == servers_.end()) return nullptr;
    std::shared_ptr<resp::Server> server = std::move(found->second);
    servers_.erase(found);
    return server;
  }

 private:
  Mutex mutex_;
  int32_t last_ GUARDED_BY(mutex_) = 0;
  std::map<int32_t, std::shared_ptr<resp::Server>> servers_ GUARDED_BY(mutex_);
};

// The environment ends.  `number` is the server's, as a pointer.
void StopAtEnd(void* number) {
  const auto server = Servers::Process().Take(static_cast<int32_t>(reinterpret_cast<intptr_t>(number)));
  if (server != nullptr) server->Stop();
}

// The members of an object of options, which lib/resp/options.ts has checked.
class Settings {
 public:
  Settings(napi_env env, napi_value object) : env_(env), object_(object) {}

  bool Text(const char* name, std::string* to) { return ReadString(env_, Member(name), to); }
  bool Flag(const char* name, bool* to) { return napi_get_value_bool(env_, Member(name), to) == napi_ok; }
  template <class Number>
  bool Count(const char* name, Number* to) {
    double number = 0;
    if (napi_get_value_double(env_, Member(name), &number) != napi_ok) return false;
    *to = static_cast<Number>(number);
    return true;
  }
  bool Texts(const char* name, std::vector<std::string>* to) {
    const napi_value array = Member(name);
    uint32_t count = 0;
    if (napi_get_array_length(env_, array, &count) != napi_ok) return false;
    to->resize(count);
    for (uint32_t i = 0; i < count; ++i) {
      napi_value element;
      if (napi_get_element(env_, array, i, &element) != napi_ok || !ReadString(env_, element, &(*to)[i])) return false;
    }
    return true;
  }
  napi_value Member(const char* name) {
    napi_value value = nullptr;
    napi_get_named_property(env_, object_, name, &value);
    return value;
  }

 private:
  const napi_env env_;
  const napi_value object_;
};

// Each database: a keyspace's name, or the number of an open handle.  An empty array: every keyspace is one.
bool ReadDatabases(napi_env env, Isolate& isolate, napi_value array, resp::Config* config) {
  uint32_t count = 0;
  if (napi_get_array_length(env, array, &count) != napi_ok || count > Spaces::kSpacesMax) return false;
  config->databases.assign(count, {});
  for (uint32_t i = 0; i < count; ++i) {
    napi_value element;
    napi_valuetype type;
    if (napi_get_element(env, array, i, &element) != napi_ok || napi_typeof(env, element, &type) != napi_ok) {
      return false;
    }
    resp::Database& database = config->databases[i];
    int32_t number = -1;
    if (type != napi_number) {
      if (!ReadString(env, element, &database.name)) return false;
    } else {
      if (napi_get_value_int32(env, element, &number) != napi_ok) return false;
      const Handle* const handle = isolate.Find(number);
      if (handle == nullptr) {
        Throw(env, {Code::kClosed, "a keyspace of options.databases was closed"});
        return false;
      }
      database.space = handle->space;
    }
  }
  return true;
}

// serverStart(handle, settings): the server's number.
napi_value ServerStart(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const Call call(env, args);
  if (!call) return nullptr;
  Settings settings(env, args[1]);
  resp::Config config;
  if (!settings.Flag("tcp", &config.tcp) || !settings.Count("port", &config.port) ||
      !settings.Texts("hosts", &config.bind) || !settings.Text("path", &config.unix_path) ||
      !settings.Count("pathMode", &config.unix_mode) || !settings.Count("threads", &config.threads) ||
      !settings.Flag("ioUring", &config.io_uring) || !settings.Text("password", &config.requirepass) ||
      !settings.Texts("users", &config.users) || !settings.Flag("protectedMode", &config.protected_mode) ||
      !settings.Count("maxClients", &config.maxclients) || !settings.Count("idleSeconds", &config.timeout_seconds) ||
      !settings.Count("bulkBytes", &config.proto_max_bulk_bytes) ||
      !ReadDatabases(env, *args.isolate, settings.Member("databases"), &config)) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    return pending ? nullptr : ThrowType(env, "serverStart: expected (handle, settings)");
  }
  auto server = resp::Server::Start(call.membership().shared_cache(), std::move(config));
  if (!server.ok()) {
    const Status& status = server.status();
    return status.code() == Code::kInvalid ? ThrowRange(env, "options." + status.detail()) : Throw(env, status);
  }
  const int32_t number = Servers::Process().Add(std::move(server.value()));
  napi_add_env_cleanup_hook(env, StopAtEnd, reinterpret_cast<void*>(intptr_t{number}));
  return Int(env, number);
}

// The server that the first argument names; null, with ERR_CACHE_CLOSED pending, if it was stopped.
template <size_t N>
std::shared_ptr<resp::Server> ServerOf(napi_env env, const Arguments<N>& args) {
  int32_t number = 0;
  napi_get_value_int32(env, args[0], &number);
  auto server = Servers::Process().Find(number);
  if (server == nullptr) Throw(env, {Code::kClosed, "the server was closed"});
  return server;
}

// serverPort(server): of TCP; 0 without.
napi_value ServerPort(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const auto server = ServerOf(env, args);
  return server == nullptr ? nullptr : Int(env, server->port());
}

// serverStats(server): clients, connections, refused connections, commands, errors, bytes in, bytes out.
napi_value ServerStats(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const auto server = ServerOf(env, args);
  if (server == nullptr) return nullptr;
  const resp::ServerFigures figures = server->Figures();
  const std::array<uint64_t, 7> numbers = {figures.clients,  figures.connections, figures.rejected_connections,
                                           figures.commands, figures.errors,      figures.bytes_in,
                                           figures.bytes_out};
  napi_value array;
  if (napi_create_array_with_length(env, numbers.size(), &array) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < numbers.size(); ++i) {
    napi_set_element(env, array, i, Double(env, static_cast<double>(numbers[i])));
  }
  return array;
}

// For each command that was measured its name, and a Float64Array of so many numbers, to which `add` adds the times.
napi_value TimesOfCommands(napi_env env, napi_callback_info info, size_t numbers,
                           void (*add)(const Histogram&, double*)) {
  const Arguments<1> args(env, info);
  const auto server = ServerOf(env, args);
  napi_value all;
  if (server == nullptr || napi_create_array(env, &all) != napi_ok) return nullptr;
  uint32_t place = 0;
  for (const auto& [command, of_workers] : server->CommandTimesNow()) {
    const std::string name = resp::CommandTable::FullName(*command);
    void* memory = nullptr;
    napi_value text, buffer, times;
    if (napi_create_string_utf8(env, name.data(), name.size(), &text) != napi_ok ||
        napi_create_arraybuffer(env, numbers * sizeof(double), &memory, &buffer) != napi_ok ||
        napi_create_typedarray(env, napi_float64_array, numbers, buffer, 0, &times) != napi_ok) {
      return nullptr;
    }
    for (const Histogram* const histogram : of_workers) add(*histogram, static_cast<double*>(memory));
    napi_set_element(env, all, place++, text);
    napi_set_element(env, all, place++, times);
  }
  return all;
}

// serverSections(server, members): what ZH.STATS tells beside the engine's figures, as JSON.
napi_value ServerSections(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const auto server = ServerOf(env, args);
  std::string members;
  if (server == nullptr) return nullptr;
  if (!ReadString(env, args[1], &members)) return ThrowType(env, "serverSections: expected (server, text)");
  server->SetSections(std::move(members));
  return nullptr;
}

// serverTimes(server): as spaceTimes fills it.
napi_value ServerTimes(napi_env env, napi_callback_info info) {
  return TimesOfCommands(env, info, kTimeBounds + 2, AddTimes);
}

// serverBuckets(server): the count of each bucket.
napi_value ServerBuckets(napi_env env, napi_callback_info info) {
  return TimesOfCommands(env, info, Histogram::kBuckets,
                         [](const Histogram& histogram, double* buckets) { histogram.AddTo(buckets); });
}

// serverAdmits(server, password): whether the user `default` may log in with it; if it needs none, with any.
napi_value ServerAdmits(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  const auto server = ServerOf(env, args);
  std::string password;
  if (server == nullptr || !ReadString(env, args[1], &password)) return nullptr;
  return Bool(env, server->Admits(password));
}

// serverRefusesStrangers(server): whether it refuses clients of other machines.
napi_value ServerRefusesStrangers(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  const auto server = ServerOf(env, args);
  return server == nullptr ? nullptr : Bool(env, server->RefusesStrangersNow());
}

// serverStop(server): joins its threads.  One that was stopped stays so.
napi_value ServerStop(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  int32_t number = 0;
  napi_get_value_int32(env, args[0], &number);
  const auto server = Servers::Process().Take(number);
  if (server == nullptr) return nullptr;
  napi_remove_env_cleanup_hook(env, StopAtEnd, reinterpret_cast<void*>(intptr_t{number}));
  server->Stop();
  return nullptr;
}

// serverDrain(server, ms, control): a promise; takes no new clients, and ends when those that are there have their
// replies, or the time is over.
napi_value ServerDrain(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  auto server = ServerOf(env, args);
  double ms = 0;
  if (server == nullptr) return nullptr;
  if (napi_get_value_double(env, args[1], &ms) != napi_ok) return ThrowType(env, "serverDrain: expected a number");
  return Job::Start(
      env, args[2], "zerohop:drain",
      [server = std::move(server), ms](const Control&) {
        server->Stop(static_cast<uint64_t>(ms));
        return Status{};
      },
      [](napi_env in) { return Bool(in, true); });
}

// ---- Streams

// Carries replies of streams to the event loop that made it.  Worker threads of a server call it until that
// environment ends: from then on its queue is gone, whoever still refers to it, so a cleanup hook takes it away first.
class Carrier {
 public:
  explicit Carrier(napi_threadsafe_function to) : to_(to) {}

  struct Piece {
    uint64_t stream;
    std::string bytes;
  };
  // Any thread.  False: nobody is there to take it.
  bool Give(uint64_t stream, std::string bytes) EXCLUDES(mutex_) {
    auto piece = std::make_unique<Piece>(Piece{stream, std::move(bytes)});
    MutexLock lock(mutex_);
    if (to_ == nullptr || napi_call_threadsafe_function(to_, piece.get(), napi_tsfn_nonblocking) != napi_ok)
      return false;
    static_cast<void>(piece.release());
    return true;
  }

  // The environment ends.  `held`: a std::shared_ptr<Carrier> of the hook's own.
  static void End(void* held) {
    const std::unique_ptr<std::shared_ptr<Carrier>> carrier(static_cast<std::shared_ptr<Carrier>*>(held));
    MutexLock lock((*carrier)->mutex_);
    napi_release_threadsafe_function((*carrier)->to_, napi_tsfn_release);
    (*carrier)->to_ = nullptr;
  }

  // On the event loop: output(stream, bytes); no bytes: the server has closed the stream.
  static void Deliver(napi_env env, napi_value output, void*, void* data) {
    const std::unique_ptr<Piece> piece(static_cast<Piece*>(data));
    if (env == nullptr) return;
    void* copied = nullptr;
    napi_value undefined, bytes, result;
    if (napi_get_undefined(env, &undefined) != napi_ok ||
        napi_create_buffer_copy(env, piece->bytes.size(), piece->bytes.data(), &copied, &bytes) != napi_ok) {
      return;
    }
    const std::array<napi_value, 2> arguments = {Double(env, static_cast<double>(piece->stream)), bytes};
    napi_call_function(env, undefined, output, arguments.size(), arguments.data(), &result);
  }

 private:
  Mutex mutex_;
  napi_threadsafe_function to_ GUARDED_BY(mutex_);
};

// serverCarrier(output): what streams are opened with; of this environment, until it ends.
napi_value ServerCarrier(napi_env env, napi_callback_info info) {
  const Arguments<1> args(env, info);
  napi_value name, external;
  napi_threadsafe_function to = nullptr;
  if (napi_create_string_utf8(env, "zerohop:streams", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, args[0], nullptr, name, 0, 1, nullptr, nullptr, nullptr, Carrier::Deliver,
                                      &to) != napi_ok) {
    return ThrowType(env, "serverCarrier: expected a function");
  }
  napi_unref_threadsafe_function(env, to);  // sockets keep the event loop alive, if anything does
  const auto carrier = std::make_shared<Carrier>(to);
  // After the function to the event loop: hooks run in the reverse order.
  napi_add_env_cleanup_hook(env, Carrier::End, new std::shared_ptr<Carrier>(carrier));
  const auto let_go = [](napi_env, void* held, void*) { delete static_cast<std::shared_ptr<Carrier>*>(held); };
  auto held = std::make_unique<std::shared_ptr<Carrier>>(carrier);
  if (napi_create_external(env, held.get(), let_go, nullptr, &external) != napi_ok) return nullptr;
  static_cast<void>(held.release());
  return external;
}

// serverOpenStream(server, carrier, peer, local): the stream's number.
napi_value ServerOpenStream(napi_env env, napi_callback_info info) {
  const Arguments<4> args(env, info);
  const auto server = ServerOf(env, args);
  if (server == nullptr) return nullptr;
  std::string peer, local;
  void* held = nullptr;
  if (!ReadString(env, args[2], &peer) || !ReadString(env, args[3], &local)) return nullptr;
  if (napi_get_value_external(env, args[1], &held) != napi_ok) {
    return ThrowType(env, "serverOpenStream: expected (server, carrier, string, string)");
  }
  const uint64_t stream =
      server->OpenStream(std::move(peer), std::move(local),
                         [carrier = *static_cast<std::shared_ptr<Carrier>*>(held)](uint64_t id, std::string bytes) {
                           return carrier->Give(id, std::move(bytes));
                         });
  return Double(env, static_cast<double>(stream));
}

// serverFeed(server, stream, bytes): false if the stream takes no more just now, or is closed.
napi_value ServerFeed(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  const auto server = ServerOf(env, args);
  double stream = 0;
  Bytes bytes;
  if (server == nullptr || !ReadView(env, args[2], "bytes", &bytes)) return nullptr;
  if (napi_get_value_double(env, args[1], &stream) != napi_ok) return ThrowType(env, "serverFeed: expected a stream");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return Bool(env, server->Feed(static_cast<uint64_t>(stream), text));
}

// serverSent(server, stream, bytes): so many bytes of its replies were passed on.
napi_value ServerSent(napi_env env, napi_callback_info info) {
  const Arguments<3> args(env, info);
  double stream = 0, bytes = 0;
  int32_t number = 0;
  napi_get_value_int32(env, args[0], &number);
  const auto server = Servers::Process().Find(number);
  if (server == nullptr || napi_get_value_double(env, args[1], &stream) != napi_ok ||
      napi_get_value_double(env, args[2], &bytes) != napi_ok) {
    return nullptr;
  }
  server->Sent(static_cast<uint64_t>(stream), static_cast<size_t>(bytes));
  return nullptr;
}

// serverCloseStream(server, stream)
napi_value ServerCloseStream(napi_env env, napi_callback_info info) {
  const Arguments<2> args(env, info);
  double stream = 0;
  int32_t number = 0;
  napi_get_value_int32(env, args[0], &number);
  const auto server = Servers::Process().Find(number);
  if (server == nullptr || napi_get_value_double(env, args[1], &stream) != napi_ok) return nullptr;
  server->CloseStream(static_cast<uint64_t>(stream));
  return nullptr;
}

constexpr Function kRespFunctions[] = {
    {"serverStart", Guarded<ServerStart>},
    {"serverSections", Guarded<ServerSections>},
    {"serverPort", Guarded<ServerPort>},
    {"serverStats", Guarded<ServerStats>},
    {"serverTimes", Guarded<ServerTimes>},
    {"serverBuckets", Guarded<ServerBuckets>},
    {"serverAdmits", Guarded<ServerAdmits>},
    {"serverRefusesStrangers", Guarded<ServerRefusesStrangers>},
    {"serverStop", Guarded<ServerStop>},
    {"serverDrain", Guarded<ServerDrain>},
    {"serverCarrier", Guarded<ServerCarrier>},
    {"serverOpenStream", Guarded<ServerOpenStream>},
    {"serverFeed", Guarded<ServerFeed>},
    {"serverSent", Guarded<ServerSent>},
    {"serverCloseStream", Guarded<ServerCloseStream>},
};

}  // namespace

std::span<const Function> RespFunctions() { return kRespFunctions; }

}  // namespace zerohop::binding

#else  // the workers of a server wait for their clients by epoll

namespace zerohop::binding {
namespace {

napi_value NotHere(napi_env env, napi_callback_info) { return Throw(env, {Code::kIo, "a server needs Linux"}); }

constexpr Function kRespFunctions[] = {
    {"serverStart", NotHere},   {"serverPort", NotHere},    {"serverSections", NotHere},
    {"serverStats", NotHere},   {"serverStop", NotHere},    {"serverTimes", NotHere},
    {"serverDrain", NotHere},   {"serverCarrier", NotHere}, {"serverOpenStream", NotHere},
    {"serverFeed", NotHere},    {"serverSent", NotHere},    {"serverCloseStream", NotHere},
    {"serverBuckets", NotHere}, {"serverAdmits", NotHere},  {"serverRefusesStrangers", NotHere},
};

}  // namespace

std::span<const Function> RespFunctions() { return kRespFunctions; }

}  // namespace zerohop::binding

#endif
