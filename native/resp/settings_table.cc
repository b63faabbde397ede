// settings_table.cc: the settings one by one: names, defaults and limits are Redis 7.0's.
#include "resp/settings.h"

namespace zerohop::resp {
namespace {

using SettingKind = Setting::Kind;
constexpr int64_t kIntMax = INT32_MAX;
constexpr int64_t kMiB = int64_t{1} << 20;

constexpr Setting Flag(const char* name, const char* first) {
  return {.name = name, .kind = SettingKind::kFlag, .first = first};
}
constexpr Setting Number(const char* name, const char* first, int64_t min = 0, int64_t max = kIntMax) {
  return {.name = name, .kind = SettingKind::kNumber, .first = first, .min = min, .max = max};
}
constexpr Setting Memory(const char* name, const char* first, int64_t min = 0) {
  return {.name = name, .kind = SettingKind::kMemory, .first = first, .min = min};
}
constexpr Setting Choice(const char* name, const char* first, const char* choices) {
  return {.name = name, .kind = SettingKind::kChoice, .first = first, .choices = choices};
}
constexpr Setting Text(const char* name, const char* first = "") {
  return {.name = name, .kind = SettingKind::kText, .first = first};
}
constexpr Setting Fixed(Setting setting) {
  setting.fixed = true;
  return setting;
}
constexpr Setting Alias(Setting setting, const char* alias) {
  setting.alias = alias;
  return setting;
}
constexpr Setting Live(Setting setting, uint64_t Config::*number) {
  setting.number = number;
  return setting;
}

constexpr Setting kSettings[] = {
    // What the server follows.
    Live(Number("acllog-max-len", "", 0, INT64_MAX), &Config::acllog_max_len),
    {.name = "bind", .kind = SettingKind::kList, .only_same = "Failed to bind to specified addresses."},
    {.name = "client-output-buffer-limit", .kind = SettingKind::kLimits},
    Live(Memory("client-query-buffer-limit", "", kMiB), &Config::query_buffer_limit),
    Live(Number("maxclients", "", 1, UINT32_MAX), &Config::maxclients),
    Live({.name = "maxmemory-clients", .kind = SettingKind::kPercent, .first = "0"}, &Config::clients_bytes_max),
    Live(Memory("proto-max-bulk-len", "", kMiB), &Config::proto_max_bulk_bytes),
    {.name = "protected-mode", .kind = SettingKind::kFlag, .flag = &Config::protected_mode},
    {.name = "requirepass", .kind = SettingKind::kText, .text = &Config::requirepass},
    Live(Number("tcp-keepalive", ""), &Config::tcp_keepalive_seconds),
    Live(Number("timeout", ""), &Config::timeout_seconds),
    Live(Number("tracking-table-max-keys", "", 0, INT64_MAX), &Config::tracking_table_max_keys),
    {.name = "unixsocket", .kind = SettingKind::kText, .fixed = true, .text = &Config::unix_path},

    // What was settled when it started.
    Fixed(Number("databases", "16", 1)),
    {.name = "port",
     .kind = SettingKind::kNumber,
     .only_same = "Unable to listen on this port: a server keeps the one it began with."},
    Fixed(Number("io-threads", "1", 1, 128)),
    Fixed(Number("tcp-backlog", "511")),
    Fixed({.name = "unixsocketperm", .kind = SettingKind::kOctal, .first = "0", .max = 0777}),

    // What is kept for tools of Redis.
    Fixed(Text("aclfile")),
    Choice("acl-pubsub-default", "resetchannels", "allchannels, resetchannels"),
    Flag("activedefrag", "no"),
    Number("active-expire-effort", "1", 1, 10),
    Flag("activerehashing", "yes"),
    Flag("aof-load-truncated", "yes"),
    Flag("aof-rewrite-incremental-fsync", "yes"),
    Flag("aof-timestamp-enabled", "no"),
    Flag("aof-use-rdb-preamble", "yes"),
    Fixed(Text("appenddirname", "appendonlydir")),
    Fixed(Text("appendfilename", "appendonly.aof")),
    Choice("appendfsync", "everysec", "everysec, always, no"),
    {.name = "appendonly", .kind = SettingKind::kFlag, .first = "no", .only_same = "Nothing is written to a file."},
    Memory("auto-aof-rewrite-min-size", "67108864"),
    Number("auto-aof-rewrite-percentage", "100"),
    Text("bind-source-addr"),
    Alias(Number("busy-reply-threshold", "5000", 0, INT64_MAX), "lua-time-limit"),
    Fixed(Flag("cluster-enabled", "no")),
    Flag("crash-log-enabled", "yes"),
    Flag("crash-memcheck-enabled", "yes"),
    Fixed(Flag("daemonize", "no")),
    Fixed(Text("dbfilename", "dump.rdb")),
    Fixed(Text("dir", "/")),
    Flag("dynamic-hz", "yes"),
    Alias(Number("hash-max-listpack-entries", "512", 0, INT64_MAX), "hash-max-ziplist-entries"),
    Alias(Memory("hash-max-listpack-value", "64"), "hash-max-ziplist-value"),
    Memory("hll-sparse-max-bytes", "3000"),
    Number("hz", "10"),
    {.name = "key-load-delay",
     .kind = SettingKind::kNumber,
     .first = "0",
     .min = INT32_MIN,
     .max = kIntMax,
     .hidden = true},
    Number("latency-monitor-threshold", "0", 0, INT64_MAX),
    Flag("latency-tracking", "yes"),
    {.name = "latency-tracking-info-percentiles", .kind = SettingKind::kList, .first = "50 99 99.9"},
    Flag("lazyfree-lazy-eviction", "no"),
    Flag("lazyfree-lazy-expire", "no"),
    Flag("lazyfree-lazy-server-del", "no"),
    Flag("lazyfree-lazy-user-del", "no"),
    Flag("lazyfree-lazy-user-flush", "no"),
    Number("lfu-decay-time", "1"),
    Number("lfu-log-factor", "10"),
    Number("list-compress-depth", "0"),
    Alias(Number("list-max-listpack-size", "-2", INT32_MIN), "list-max-ziplist-size"),
    Fixed(Text("logfile")),
    Choice("loglevel", "notice", "debug, verbose, notice, warning"),
    Text("masterauth"),
    Text("masteruser"),
    Memory("maxmemory", "0"),
    Number("maxmemory-eviction-tenacity", "10", 0, 100),
    Choice("maxmemory-policy", "allkeys-lfu",
           "volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, "
           "noeviction"),
    Number("maxmemory-samples", "5", 1),
    Alias(Number("min-replicas-max-lag", "10"), "min-slaves-max-lag"),
    Alias(Number("min-replicas-to-write", "0"), "min-slaves-to-write"),
    Flag("no-appendfsync-on-rewrite", "no"),
    {.name = "notify-keyspace-events", .kind = SettingKind::kEvents},
    Fixed(Text("pidfile")),
    Flag("rdb-del-sync-files", "no"),
    {.name = "rdb-key-save-delay",
     .kind = SettingKind::kNumber,
     .first = "0",
     .min = INT32_MIN,
     .max = kIntMax,
     .hidden = true},
    Flag("rdb-save-incremental-fsync", "yes"),
    Fixed(Flag("rdbchecksum", "yes")),
    Flag("rdbcompression", "yes"),
    Memory("repl-backlog-size", "1048576", 1),
    Number("repl-backlog-ttl", "3600", 0, INT64_MAX),
    Flag("repl-disable-tcp-nodelay", "no"),
    Choice("repl-diskless-load", "disabled", "disabled, on-empty-db, swapdb"),
    Flag("repl-diskless-sync", "yes"),
    Number("repl-diskless-sync-delay", "5"),
    Alias(Number("repl-ping-replica-period", "10", 1), "repl-ping-slave-period"),
    Number("repl-timeout", "60", 1),
    Alias(Text("replica-announce-ip"), "slave-announce-ip"),
    Alias(Number("replica-announce-port", "0", 0, 65535), "slave-announce-port"),
    Alias(Flag("replica-ignore-maxmemory", "yes"), "slave-ignore-maxmemory"),
    Alias(Flag("replica-lazy-flush", "no"), "slave-lazy-flush"),
    Alias(Number("replica-priority", "100"), "slave-priority"),
    Alias(Flag("replica-read-only", "yes"), "slave-read-only"),
    Alias(Flag("replica-serve-stale-data", "yes"), "slave-serve-stale-data"),
    Alias(Fixed(Text("replicaof")), "slaveof"),
    Choice("sanitize-dump-payload", "no", "no, yes, clients"),
    {.name = "save", .kind = SettingKind::kSave},
    Number("set-max-intset-entries", "512", 0, INT64_MAX),
    Choice("shutdown-on-sigint", "default", "default, save, nosave, now, force"),
    Choice("shutdown-on-sigterm", "default", "default, save, nosave, now, force"),
    Number("shutdown-timeout", "10"),
    Number("slowlog-log-slower-than", "10000", -1, INT64_MAX),
    Number("slowlog-max-len", "128", 0, INT64_MAX),
    Flag("stop-writes-on-bgsave-error", "yes"),
    Memory("stream-node-max-bytes", "4096"),
    Number("stream-node-max-entries", "100", 0, INT64_MAX),
    Fixed(Choice("supervised", "no", "upstart, systemd, auto, no")),
    Alias(Number("zset-max-listpack-entries", "128", 0, INT64_MAX), "zset-max-ziplist-entries"),
    Alias(Memory("zset-max-listpack-value", "64"), "zset-max-ziplist-value"),
};

}  // namespace

std::span<const Setting> AllSettings() { return kSettings; }

}  // namespace zerohop::resp
