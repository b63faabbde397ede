// How a server begins and ends, and connections whose bytes somebody else carries.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "resp/peer.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

using testing::Bulk;
using testing::kMiB;
using testing::OnAnyPort;
using testing::Peer;
using testing::Request;
using testing::Served;

std::string SocketPath(const char* name) {
  return std::string("/tmp/zerohop-").append(std::to_string(::getpid())).append("-").append(name).append(".sock");
}

Result<std::unique_ptr<Server>> Started(Config config) {
  return Server::Start(zerohop::testing::MakeCache(), std::move(config));
}

// What a stream was given, until somebody asks.
struct Carrier {
  StreamEnd::Output Output() {
    return [this](uint64_t, std::string bytes) {
      const std::lock_guard lock(mutex);
      closed = closed || bytes.empty();
      given += bytes;
      came.notify_all();
      return true;
    };
  }
  std::string Take(size_t bytes) {
    std::unique_lock lock(mutex);
    came.wait_for(lock, std::chrono::seconds(60), [&] { return given.size() >= bytes || closed; });
    std::string taken = given.substr(0, bytes);
    given.erase(0, bytes);
    return taken;
  }
  bool WaitClosed() {
    std::unique_lock lock(mutex);
    return came.wait_for(lock, std::chrono::seconds(60), [&] { return closed; });
  }
  std::mutex mutex;
  std::condition_variable came;
  std::string given;
  bool closed = false;
};

}  // namespace

TEST(ServerLife, EndsUnderLoadAndClosesItsClients) {
  for (int round = 0; round < 5; ++round) {
    auto served = std::make_unique<Served>(OnAnyPort());
    std::vector<std::thread> clients;
    const int port = served->server->port();
    std::atomic<int> answered{0};
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([port, &answered] {
        Peer peer(port);
        while (peer.Ask({"SET", "key", std::string(5000, 'v')}) == "+OK\r\n" &&
               peer.Ask({"GET", "key"}).size() > 5000) {
          answered.fetch_add(1);
        }
      });
    }
    while (answered.load() < 50) std::this_thread::yield();
    if (round % 2 == 0) served->server->Stop();
    served.reset();
    for (std::thread& client : clients) client.join();
    CHECK(!Peer(port).connected());
  }
}

TEST(ServerLife, DrainsWhatWasSentBeforeItStops) {
  Served served(OnAnyPort(), 64 * kMiB);
  Peer peer(served);
  const std::string value(8 * kMiB, 'v');
  CHECK_EQ(peer.Ask({"SET", "key", value}), "+OK\r\n");
  REQUIRE(peer.Send(Request({"GET", "key"}) + Request({"GET", "key"}) + Request({"PING"})));
  std::thread stopper([&] { served.server->Stop(/*drain_ms=*/60000); });
  CHECK(peer.ReceiveAll() == Bulk(value) + Bulk(value) + "+PONG\r\n");
  stopper.join();
}

TEST(ServerLife, KeepsItsCacheUntilItEnds) {
  Served served;
  const std::weak_ptr<Cache> cache = served.cache;
  CHECK_EQ(Peer(served).Ask({"SET", "key", "value"}), "+OK\r\n");
  served.cache.reset();
  CHECK_EQ(Peer(served).Ask({"GET", "key"}), Bulk("value"));
  served.server.reset();
  CHECK(cache.expired());
}

TEST(ServerLife, SaysWhereItCannotListen) {
  Served served;
  Config config = OnAnyPort();
  config.bind = {"192.0.2.1"};
  const auto elsewhere = Started(config);
  REQUIRE(!elsewhere.ok());
  CHECK(elsewhere.status().detail().find("192.0.2.1") != std::string::npos);
  config.bind = {"not an address"};
  CHECK_EQ(Started(config).status().code(), Code::kInvalid);
  config.bind = {"127.0.0.1", "-192.0.2.1"};
  CHECK(Started(config).ok());
}

TEST(ServerLife, TakesAPathThatNobodyListensOn) {
  Config config = OnAnyPort();
  config.tcp = false;
  config.unix_path = SocketPath("life");
  config.unix_mode = 0700;
  {
    auto first = Started(config);
    REQUIRE(first.ok());
    struct stat file {};
    REQUIRE(::stat(config.unix_path.c_str(), &file) == 0);
    CHECK_EQ(file.st_mode & 0777u, 0700u);
    CHECK(!Started(config).ok());
    CHECK_EQ(Peer(config.unix_path).Ask({"PING"}), "+PONG\r\n");
    // As after a crash: the file stays, and nobody listens.
    const std::string kept = config.unix_path + ".kept";
    REQUIRE(::rename(config.unix_path.c_str(), kept.c_str()) == 0);
    first.value().reset();
    REQUIRE(::rename(kept.c_str(), config.unix_path.c_str()) == 0);
  }
  {
    auto second = Started(config);
    REQUIRE(second.ok());
    CHECK_EQ(Peer(config.unix_path).Ask({"PING"}), "+PONG\r\n");
  }
  CHECK(::access(config.unix_path.c_str(), F_OK) != 0);
  // Any other file is not ours to remove.
  ::close(::open(config.unix_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  CHECK(!Started(config).ok());
  CHECK_EQ(::unlink(config.unix_path.c_str()), 0);
}

TEST(ServerLife, WaitsWhenThereAreNoDescriptors) {
  Served served(OnAnyPort(1));
  CHECK_EQ(Peer(served).Ask({"PING"}), "+PONG\r\n");
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // The client's end takes the last one, so that there is none for the server's.
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next + 1), limit.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  Peer waiting(served);
  REQUIRE(waiting.connected());
  REQUIRE(waiting.Send(Request({"PING"})));
  const auto wakeups = [&] {
    const ExclusiveLock exclusively(served.server->lock());
    return served.server->TotalCounts().wakeups;
  };
  const uint64_t before = wakeups();
  const auto begun = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const uint64_t during = wakeups() - before;
  const auto passed = std::chrono::steady_clock::now() - begun;
  // A few each 100 ms; without a rest there would be thousands.
  CHECK(during < 20 + 5 * static_cast<uint64_t>(passed / std::chrono::milliseconds(100)));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  CHECK_EQ(waiting.ReceiveReply(), "+PONG\r\n");
}

TEST(ServerLife, ClosesItsDescriptorsInPrograms) {
  Served served;
  Peer peer(served);
  CHECK_EQ(peer.Ask({"PING"}), "+PONG\r\n");
  // As the system tells it: asking by the descriptors themselves would race with a worker that closes one.
  int sockets = 0;
  for (int fd = 3; fd < 256; ++fd) {
    char target[64] = "";
    const std::string number = std::to_string(fd);
    if (::readlink(("/proc/self/fd/" + number).c_str(), target, sizeof target - 1) <= 0) continue;
    if (!std::string_view(target).starts_with("socket:")) continue;
    std::ifstream info("/proc/self/fdinfo/" + number);
    std::string name;
    unsigned flags = 0;
    while (info >> name && name != "flags:") info.ignore(256, '\n');
    info >> std::oct >> flags;
    CHECK((flags & static_cast<unsigned>(O_CLOEXEC)) != 0);
    ++sockets;
  }
  CHECK(sockets >= 4);  // two listeners, and both ends of the connection
}

TEST(Streams, ReachTheSameCommands) {
  Carrier carrier;
  Served served;
  const uint64_t id = served.server->OpenStream("10.0.0.1:5", "10.0.0.2:6", carrier.Output());
  const std::string text = Request({"SET", "key", "value"}) + Request({"GET", "key"});
  for (const char byte : text) CHECK(served.server->Feed(id, {&byte, 1}));
  CHECK_EQ(carrier.Take(5 + 11), "+OK\r\n" + Bulk("value"));
  CHECK_EQ(Peer(served).Ask({"GET", "key"}), Bulk("value"));
  served.server->CloseStream(id);
  CHECK(!served.server->Feed(id + 1000, "PING\r\n"));
}

TEST(Streams, GiveNoMoreThanTheirCarrierPassesOn) {
  Carrier carrier;
  Served served(OnAnyPort(), 64 * kMiB);
  CHECK_EQ(Peer(served).Ask({"SET", "key", std::string(5 * kMiB, 'v')}), "+OK\r\n");
  const uint64_t id = served.server->OpenStream("peer", "local", carrier.Output());
  CHECK(served.server->Feed(id, Request({"GET", "key"}) + Request({"PING"})));
  const std::string wanted = Bulk(std::string(5 * kMiB, 'v')) + "+PONG\r\n";
  std::string taken;
  while (taken.size() < wanted.size()) {
    const size_t part = std::min(wanted.size() - taken.size(), StreamEnd::kUnsentMax);
    const std::string bytes = carrier.Take(part);
    REQUIRE(bytes.size() == part);
    {
      const std::lock_guard lock(carrier.mutex);
      CHECK_EQ(carrier.given, "");
    }
    taken += bytes;
    served.server->Sent(id, bytes.size());
  }
  CHECK(taken == wanted);
}

TEST(Streams, AreClosedByTheServerWhenItEnds) {
  Carrier carrier;
  Served served;
  const uint64_t id = served.server->OpenStream("peer", "local", carrier.Output());
  CHECK(served.server->Feed(id, "PING\r\n"));
  CHECK_EQ(carrier.Take(7), "+PONG\r\n");
  served.server->Stop();
  CHECK(carrier.WaitClosed());
  CHECK(!served.server->Feed(id, "PING\r\n"));
}

}  // namespace zerohop::resp
