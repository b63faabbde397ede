// commands_info.cc: INFO.
//
// INFO tells Redis's fields as far as they mean something here; what a tool may rely on and is not here is 0.
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "base/clock.h"
#include "resp/ascii.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/client_line.h"
#include "resp/command_table.h"
#include "resp/commands.h"
#include "resp/connection.h"
#include "resp/info_text.h"
#include "resp/pubsub.h"
#include "resp/server.h"
#include "resp/settings.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

std::string Human(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "K", "M", "G", "T"};
  if (bytes < 1024) return std::to_string(bytes) + "B";
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit < 4) value /= 1024, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, "%.2f%s", value, kUnits[unit]);
  return text;
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void TellServer(Context& context, InfoText& text) {
  utsname system{};
  ::uname(&system);
  const uint64_t uptime = (NowUs() - context.server.started_us()) / 1000000;
  text.Section("Server");
  text.Field("redis_version", kRedisVersion);
  text.Field("redis_git_sha1", "00000000");
  text.Field("redis_git_dirty", 0);
  text.Field("redis_mode", "standalone");
  text.Field("os", std::string(system.sysname) + " " + system.release + " " + system.machine);
  text.Field("arch_bits", 64);
  text.Field("monotonic_clock", "POSIX clock_gettime");
  text.Field("multiplexing_api", "epoll");
  text.Field("process_id", static_cast<uint64_t>(::getpid()));
  text.Field("run_id", context.server.run_id());
  text.Field("tcp_port", static_cast<uint64_t>(context.server.port()));
  text.Field("server_time_usec", ReadClockUs(CLOCK_REALTIME));
  text.Field("uptime_in_seconds", uptime);
  text.Field("uptime_in_days", uptime / (24 * 3600));
  text.Field("hz", 10);
  text.Field("configured_hz", 10);
  text.Field("config_file", "");
  text.Field("io_threads_active", context.server.workers().size() > 1 ? 1 : 0);
}

void TellClients(Context& context, InfoText& text) {
  uint64_t connected = 0, blocked = 0, largest_in = 0, largest_out = 0;
  context.server.EachClient([&](const Client& client) {
    ++connected;
    if (client.Has(kClientParked)) ++blocked;
    largest_in = std::max<uint64_t>(largest_in, client.input.capacity());
    largest_out = std::max<uint64_t>(largest_out, client.pending.memory());
  });
  text.Section("Clients");
  text.Field("connected_clients", connected);
  text.Field("cluster_connections", 0);
  text.Field("maxclients", context.server.config().maxclients);
  text.Field("client_recent_max_input_buffer", largest_in);
  text.Field("client_recent_max_output_buffer", largest_out);
  text.Field("blocked_clients", blocked);
  text.Field("tracking_clients", context.server.changes().tracking_clients());
  text.Field("clients_in_timeout_table", 0);
}

void TellMemory(Context& context, InfoText& text) {
  const CacheUsage usage = context.cache.Usage();
  uint64_t of_clients = 0;
  context.server.EachClient([&](const Client& client) { of_clients += MemoryOf(client); });
  const uint64_t used = UsedBytes(usage) + of_clients, resident = ResidentBytes();
  const uint64_t most = context.cache.options().max_bytes;
  const auto both = [&](const std::string& name, uint64_t bytes) {
    text.Field(name, bytes);
    text.Field(name + "_human", Human(bytes));
  };
  text.Section("Memory");
  both("used_memory", used);
  both("used_memory_rss", resident);
  both("used_memory_peak", std::max(used, most));
  text.Field("used_memory_overhead", usage.index_bytes + usage.policy_bytes + usage.fixed_bytes + of_clients);
  text.Field("used_memory_startup", usage.fixed_bytes);
  text.Field("used_memory_dataset", uint64_t{usage.committed_segments} * usage.segment_bytes);
  both("total_system_memory",
       static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  both("maxmemory", most);
  text.Field("maxmemory_policy", ReadSetting(context.server.config(), *FindSetting("maxmemory-policy")));
  text.Field("mem_fragmentation_ratio", "1.00");
  text.Field("mem_not_counted_for_evict", 0);
  text.Field("mem_clients_slaves", 0);
  text.Field("mem_clients_normal", of_clients);
  text.Field("mem_allocator", "zerohop");
  text.Field("lazyfree_pending_objects", 0);
  text.Field("lazyfreed_objects", 0);
}

void TellPersistence(Context&, InfoText& text) {
  text.Section("Persistence");
  text.Field("loading", 0);
  text.Field("async_loading", 0);
  text.Field("rdb_changes_since_last_save", 0);
  text.Field("rdb_bgsave_in_progress", 0);
  text.Field("rdb_last_bgsave_status", "ok");
  text.Field("aof_enabled", 0);
  text.Field("aof_rewrite_in_progress", 0);
  text.Field("aof_rewrite_scheduled", 0);
  text.Field("aof_last_write_status", "ok");
}

void TellStats(Context& context, InfoText& text) {
  const WorkerCounts counts = context.server.TotalCounts();
  const CountTotals cache = context.server.CacheCounts();
  const auto count = [&](Count what) { return cache[static_cast<size_t>(what)]; };
  Changes& changes = context.server.changes();
  text.Section("Stats");
  text.Field("total_connections_received", counts.connections);
  text.Field("total_commands_processed", counts.commands);
  text.Field("instantaneous_ops_per_sec", 0);
  text.Field("total_net_input_bytes", counts.bytes_in);
  text.Field("total_net_output_bytes", counts.bytes_out);
  text.Field("rejected_connections", counts.rejected_connections);
  text.Field("sync_full", 0);
  text.Field("sync_partial_ok", 0);
  text.Field("sync_partial_err", 0);
  const auto& pause = context.server.pause;
  const bool paused = pause.what != Pause::kNone && pause.until_us > NowUs();
  text.Field("expired_keys", paused ? pause.expired_before : count(Count::kExpired));
  text.Field("evicted_keys", count(Count::kEvictedEntries) + count(Count::kTrimmedEntries));
  text.Field("evicted_clients", 0);
  text.Field("keyspace_hits", count(Count::kHits));
  text.Field("keyspace_misses", count(Count::kMisses));
  text.Field("pubsub_channels", context.server.pubsub().channel_count());
  text.Field("pubsub_patterns", context.server.pubsub().pattern_count());
  text.Field("pubsubshard_channels", 0);
  text.Field("latest_fork_usec", 0);
  text.Field("total_forks", 0);
  text.Field("tracking_total_keys", changes.tracked_keys());
  text.Field("tracking_total_items", changes.tracked_items());
  text.Field("tracking_total_prefixes", changes.prefix_count());
  text.Field("unexpected_error_replies", 0);
  text.Field("total_error_replies", counts.errors.total);
  text.Field("total_reads_processed", counts.passes);
  text.Field("total_writes_processed", counts.passes);
  text.Field("client_query_buffer_limit_disconnections", counts.query_limit_disconnections);
  text.Field("client_output_buffer_limit_disconnections", counts.output_limit_disconnections);
}

void TellReplication(Context& context, InfoText& text) {
  text.Section("Replication");
  text.Field("role", "master");
  text.Field("connected_slaves", 0);
  text.Field("master_failover_state", "no-failover");
  text.Field("master_replid", context.server.run_id());
  text.Field("master_replid2", std::string(40, '0'));
  text.Field("master_repl_offset", 0);
  text.Field("second_repl_offset", "-1");
  text.Field("repl_backlog_active", 0);
  text.Field("repl_backlog_size", ReadSetting(context.server.config(), *FindSetting("repl-backlog-size")));
  text.Field("repl_backlog_first_byte_offset", 0);
  text.Field("repl_backlog_histlen", 0);
}

void TellCpu(Context&, InfoText& text) {
  const auto seconds = [](const timeval& time) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%ld.%06ld", static_cast<long>(time.tv_sec), static_cast<long>(time.tv_usec));
    return std::string(digits);
  };
  rusage self{}, children{};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  text.Section("CPU");
  text.Field("used_cpu_sys", seconds(self.ru_stime));
  text.Field("used_cpu_user", seconds(self.ru_utime));
  text.Field("used_cpu_sys_children", seconds(children.ru_stime));
  text.Field("used_cpu_user_children", seconds(children.ru_utime));
}

void TellModules(Context&, InfoText& text) { text.Section("Modules"); }

void TellCommandStats(Context& context, InfoText& text) {
  const WorkerCounts counts = context.server.TotalCounts();
  text.Section("Commandstats");
  for (const Command* const command : CommandTable::Process().all()) {
    const CommandCounts& one = counts.by_command[command->index];
    if (one.calls == 0 && one.rejected == 0 && one.failed == 0) continue;
    char line[160];
    std::snprintf(
        line, sizeof line,
        "calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64,
        one.calls, one.micros, one.calls == 0 ? 0.0 : static_cast<double>(one.micros) / static_cast<double>(one.calls),
        one.rejected, one.failed);
    text.Field("cmdstat_" + CommandTable::FullName(*command), line);
  }
}

void TellErrorStats(Context& context, InfoText& text) {
  text.Section("Errorstats");
  for (const auto& [code, count] : context.server.TotalCounts().errors.by_code)
    text.Field("errorstat_" + code, "count=" + std::to_string(count));
}

void TellLatencyStats(Context&, InfoText& text) { text.Section("Latencystats"); }

void TellCluster(Context&, InfoText& text) {
  text.Section("Cluster");
  text.Field("cluster_enabled", 0);
}

void TellKeyspace(Context& context, InfoText& text) {
  text.Section("Keyspace");
  context.server.EachDatabase([&](size_t database, uint16_t space) {
    const size_t entries = context.cache.EntriesOf(space);
    if (entries == 0) return;
    text.Field("db" + std::to_string(database), "keys=" + std::to_string(entries) + ",expires=0,avg_ttl=0");
  });
}

constexpr struct {
  const char* name;
  void (*tell)(Context& context, InfoText& text);
  uint8_t in;  // kDefault, kAll, kEverything: which collections it is in
} kSections[] = {
    {"server", TellServer, 3},
    {"clients", TellClients, 3},
    {"memory", TellMemory, 3},
    {"persistence", TellPersistence, 3},
    {"stats", TellStats, 3},
    {"replication", TellReplication, 3},
    {"cpu", TellCpu, 3},
    {"modules", TellModules, 1},
    {"commandstats", TellCommandStats, 2},
    {"errorstats", TellErrorStats, 3},
    {"latencystats", TellLatencyStats, 2},
    {"cluster", TellCluster, 3},
    {"keyspace", TellKeyspace, 3},
};
constexpr uint8_t kInDefault = 1, kInAll = 2;

void Info(Context& context) {
  constexpr size_t kCount = sizeof kSections / sizeof kSections[0];
  bool wanted[kCount] = {};
  const auto want = [&wanted](uint8_t in) {
    for (size_t i = 0; i < kCount; ++i) wanted[i] = wanted[i] || (kSections[i].in & in) != 0;
  };
  if (context.args.size() == 1) want(kInDefault);
  for (size_t i = 1; i < context.args.size(); ++i) {
    const std::string_view name = context.args[i];
    if (EqualsAnyCase(name, "default")) want(kInDefault);
    if (EqualsAnyCase(name, "all")) want(kInAll);
    if (EqualsAnyCase(name, "everything")) want(kInDefault | kInAll);
    for (size_t section = 0; section < kCount; ++section) {
      if (EqualsAnyCase(name, kSections[section].name)) wanted[section] = true;
    }
  }
  InfoText text;
  for (size_t i = 0; i < kCount; ++i) {
    if (wanted[i]) kSections[i].tell(context, text);
  }
  context.reply.Verbatim(text.text(), "txt");
}

constexpr Command kInfoCommands[] = {
    {.name = "info",
     .arity = -1,
     .flags = kLoading | kStale | kSentinel | kExclusive,
     .categories = kCatSlow | kCatDangerous,
     .run = Info,
     .summary = "Get information and statistics about the server",
     .since = "1.0.0",
     .group = "server"},
};

}  // namespace

std::span<const Command> InfoCommands() { return kInfoCommands; }

}  // namespace zerohop::resp
