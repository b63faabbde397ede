// command_arguments.cc: the arguments of all commands, a line each, in a notation of our own.
//
//   value        a string called "value"        $key    a key          #count   an integer     %cost  a double
//   @at          a time                         ~like   a pattern      !NX      just this word, called "nx"
//   #s=EX        an integer, called "s", after the word EX
//   end<a b>     a or b                         pair{a b}   a, then b
//   [a]          may be left out                a*          several    a+       the word before it each time
//   a^6.2.0      since that version of Redis    a^^2.8.12   deprecated since
#include "resp/command_arguments.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "resp/ascii.h"
#include "resp/reply.h"

namespace zerohop::resp {
namespace {

// By name.
constexpr struct {
  std::string_view command, arguments;
} kArguments[] = {
    {"acl|cat", "[categoryname]"},
    {"acl|deluser", "username*"},
    {"acl|dryrun", "username command [arg*]"},
    {"acl|genpass", "[#bits]"},
    {"acl|getuser", "username"},
    {"acl|log", "[operation<#count !RESET>]"},
    {"acl|setuser", "username [rule*]"},
    {"append", "$key value"},
    {"auth", "[username^6.0.0] password"},
    {"client|caching", "mode<!YES !NO>"},
    {"client|kill",
     "filter<ip:port^^2.8.12 new-format*<[#client-id=ID^2.8.12] [normal_master_slave_pubsub=TYPE^2.8.12<!NORMAL "
     "!MASTER^3.2.0 !SLAVE !REPLICA^5.0.0 !PUBSUB>] [username=USER] [ip:port=ADDR] [ip:port=LADDR^6.2.0] "
     "[yes/no=SKIPME]>>"},
    {"client|list",
     "[normal_master_replica_pubsub=TYPE^5.0.0<!NORMAL !MASTER !REPLICA !PUBSUB>] [id=ID^6.2.0{#client-id*}]"},
    {"client|no-evict", "enabled<!ON !OFF>"},
    {"client|pause", "#timeout [mode^6.2.0<!WRITE !ALL>]"},
    {"client|reply", "on_off_skip<!ON !OFF !SKIP>"},
    {"client|setname", "connection-name"},
    {"client|tracking",
     "status<!ON !OFF> [#client-id=REDIRECT] [prefix=PREFIX*+] [!BCAST] [!OPTIN] [!OPTOUT] [!NOLOOP]"},
    {"client|unblock", "#client-id [timeout_error<!TIMEOUT !ERROR>]"},
    {"command|docs", "[command-name*]"},
    {"command|info", "[command-name*]"},
    {"command|list", "[filterby=FILTERBY<module-name=MODULE category=ACLCAT ~pattern=PATTERN>]"},
    {"config|get", "parameter*{parameter}"},
    {"config|set", "parameter_value*{parameter value}"},
    {"copy", "$source $destination [#destination-db=DB] [!REPLACE]"},
    {"decr", "$key"},
    {"decrby", "$key #decrement"},
    {"del", "$key*"},
    {"echo", "message"},
    {"exists", "$key*"},
    {"expire", "$key #seconds [condition^7.0.0<!NX !XX !GT !LT>]"},
    {"expireat", "$key @unix-time-seconds [condition^7.0.0<!NX !XX !GT !LT>]"},
    {"expiretime", "$key"},
    {"flushall", "[async<!ASYNC^4.0.0 !SYNC^6.2.0>]"},
    {"flushdb", "[async<!ASYNC^4.0.0 !SYNC^6.2.0>]"},
    {"function|flush", "[async<!ASYNC !SYNC>]"},
    {"get", "$key"},
    {"getdel", "$key"},
    {"getex",
     "$key [expiration<#seconds=EX #milliseconds=PX @unix-time-seconds=EXAT @unix-time-milliseconds=PXAT !PERSIST>]"},
    {"getrange", "$key #start #end"},
    {"getset", "$key value"},
    {"hello", "[arguments{#protover [username_password=AUTH{username password}] [clientname=SETNAME]}]"},
    {"incr", "$key"},
    {"incrby", "$key #increment"},
    {"incrbyfloat", "$key %increment"},
    {"info", "[section*]"},
    {"keys", "~pattern"},
    {"memory|usage", "$key [#count=SAMPLES]"},
    {"mget", "$key*"},
    {"mset", "key_value*{$key value}"},
    {"msetnx", "key_value*{$key value}"},
    {"object|encoding", "$key"},
    {"object|freq", "$key"},
    {"object|idletime", "$key"},
    {"object|refcount", "$key"},
    {"persist", "$key"},
    {"pexpire", "$key #milliseconds [condition^7.0.0<!NX !XX !GT !LT>]"},
    {"pexpireat", "$key @unix-time-milliseconds [condition^7.0.0<!NX !XX !GT !LT>]"},
    {"pexpiretime", "$key"},
    {"ping", "[message]"},
    {"psetex", "$key #milliseconds value"},
    {"psubscribe", "pattern*{~pattern}"},
    {"pttl", "$key"},
    {"publish", "channel message"},
    {"pubsub|channels", "[~pattern]"},
    {"pubsub|numsub", "[channel*]"},
    {"punsubscribe", "[~pattern*]"},
    {"rename", "$key $newkey"},
    {"renamenx", "$key $newkey"},
    {"scan", "#cursor [~pattern=MATCH] [#count=COUNT] [type=TYPE^6.0.0]"},
    {"select", "#index"},
    {"set",
     "$key value [condition^2.6.12<!NX !XX>] [!GET^6.2.0] [expiration<#seconds=EX^2.6.12 #milliseconds=PX^2.6.12 "
     "@unix-time-seconds=EXAT^6.2.0 @unix-time-milliseconds=PXAT^6.2.0 !KEEPTTL^6.0.0>]"},
    {"setex", "$key #seconds value"},
    {"setnx", "$key value"},
    {"setrange", "$key #offset value"},
    {"strlen", "$key"},
    {"subscribe", "channel*"},
    {"substr", "$key #start #end"},
    {"touch", "$key*"},
    {"ttl", "$key"},
    {"type", "$key"},
    {"unlink", "$key*"},
    {"unsubscribe", "[channel*]"},
    {"watch", "$key*"},
    {"zh.explain", "$key"},
    {"zh.gather", "$key*"},
    {"zh.getlease", "$key #ttl [#milliseconds=WAIT] [#milliseconds=STALE]"},
    {"zh.purge", "what<tag model=MODEL{name [version]}>"},
    {"zh.set",
     "$key value [condition<!NX !XX>] [!GET] [expiration<#seconds=EX #milliseconds=PX @unix-time-seconds=EXAT "
     "@unix-time-milliseconds=PXAT !KEEPTTL>] [tags=TAGS{#count tag*}] [%milliseconds=COST]"},
    {"zh.setlease",
     "$key token value [expiration<#seconds=EX #milliseconds=PX @unix-time-seconds=EXAT @unix-time-milliseconds=PXAT>] "
     "[tags=TAGS{#count tag*}] [%milliseconds=COST]"},
};

struct Argument {
  std::string_view type = "string";
  std::string name;
  std::string_view token, since, deprecated;
  std::vector<std::string_view> flags;
  std::vector<Argument> parts;
};

class Notation {
 public:
  explicit Notation(std::string_view text) : text_(text) {}

  std::vector<Argument> All() {
    std::vector<Argument> all;
    while (!text_.empty() && text_[0] != '>' && text_[0] != '}') {
      all.push_back(One());
      Skip(' ');
    }
    return all;
  }

 private:
  Argument One() {
    Argument one;
    const bool optional = Skip('[');
    if (optional) one.flags.push_back("optional");
    one.type = Type();
    const std::string_view word = Word();
    one.name = one.type == "pure-token" ? LowerCase(word) : std::string(word);
    if (one.type == "pure-token") one.token = word;
    if (Skip('=')) one.token = Word();
    if (Skip('^')) one.since = Word();
    if (Skip('^')) one.deprecated = Word();
    if (Skip('*')) one.flags.push_back("multiple");
    if (Skip('+')) one.flags.push_back("multiple_token");
    if (Skip('<')) {
      one.type = "oneof";
      one.parts = All();
      Skip('>');
    } else if (Skip('{')) {
      one.type = "block";
      one.parts = All();
      Skip('}');
    }
    if (optional) Skip(']');
    return one;
  }

  std::string_view Type() {
    if (Skip('$')) return "key";
    if (Skip('#')) return "integer";
    if (Skip('%')) return "double";
    if (Skip('@')) return "unix-time";
    if (Skip('~')) return "pattern";
    if (Skip('!')) return "pure-token";
    return "string";
  }

  std::string_view Word() {
    const std::string_view word = text_.substr(0, text_.find_first_of(" =^*+<>{}[]"));
    text_.remove_prefix(word.size());
    return word;
  }

  bool Skip(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view text_;
};

// `keys`: how many keys were told before.
void TellParts(const std::vector<Argument>& all, Reply& reply, int64_t* keys) {
  reply.Array(all.size());
  for (const Argument& one : all) {
    const bool key = one.type == "key";
    reply.Map(2 + key + !one.token.empty() + !one.since.empty() + !one.deprecated.empty() + !one.flags.empty() +
              !one.parts.empty());
    const auto text = [&reply](std::string_view field, std::string_view value) {
      if (value.empty()) return;
      reply.Bulk(field);
      reply.Bulk(value);
    };
    text("name", one.name);
    text("type", one.type);
    if (key) {
      reply.Bulk("key_spec_index");
      reply.Integer((*keys)++);
    }
    text("token", one.token);
    text("since", one.since);
    text("deprecated_since", one.deprecated);
    if (!one.flags.empty()) {
      reply.Bulk("flags");
      reply.Set(one.flags.size());
      for (const std::string_view flag : one.flags) reply.Simple(flag);
    }
    if (one.parts.empty()) continue;
    reply.Bulk("arguments");
    TellParts(one.parts, reply, keys);
  }
}

std::string_view ArgumentsOf(std::string_view command) {
  const auto found = std::lower_bound(std::begin(kArguments), std::end(kArguments), command,
                                      [](const auto& line, std::string_view name) { return line.command < name; });
  return found != std::end(kArguments) && found->command == command ? found->arguments : std::string_view();
}

}  // namespace

bool HasArguments(std::string_view command) { return !ArgumentsOf(command).empty(); }

void TellArguments(std::string_view command, Reply& reply) {
  int64_t keys = 0;
  TellParts(Notation(ArgumentsOf(command)).All(), reply, &keys);
}

}  // namespace zerohop::resp
