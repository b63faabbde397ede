#include "resp/acl.h"

#include <string>
#include <vector>

#include "base/sha256.h"
#include "check.h"

namespace zerohop::resp {
namespace {

constexpr uint32_t Bit(std::string_view name) {
  uint32_t bit = 1;
  for (const std::string_view each : kCategoryNames) {
    if (each == name) return bit;
    bit <<= 1;
  }
  return 0;
}
constexpr uint32_t kKeyspace = Bit("keyspace"), kRead = Bit("read"), kWrite = Bit("write"), kString = Bit("string"),
                   kFast = Bit("fast"), kSlow = Bit("slow"), kAdmin = Bit("admin"), kDangerous = Bit("dangerous"),
                   kConnection = Bit("connection"), kPubSub = Bit("pubsub");

AclCommands SomeCommands() {
  return AclCommands({
      {"get", kRead | kString | kFast},
      {"set", kWrite | kString | kSlow},
      {"mget", kRead | kString | kFast},
      {"copy", kKeyspace | kWrite | kSlow},
      {"select", kConnection | kFast},
      {"auth", kConnection | kFast, -1, true},
      {"config", kSlow},
      {"config|get", kAdmin | kSlow | kDangerous, 6},
      {"config|set", kAdmin | kSlow | kDangerous, 6},
      {"publish", kPubSub | kFast},
      {"flushall", kKeyspace | kWrite | kSlow | kDangerous},
  });
}

// A user who holds these rules, in a world of the commands above.
struct World {
  Users users{SomeCommands()};

  std::string Set(std::initializer_list<std::string_view> rules) {
    const std::vector<std::string_view> all(rules);
    return users.Set("alice", all);
  }
  std::string Told() { return users.Find("alice")->Describe(users.commands()); }
  AclVerdict Check(std::initializer_list<std::string_view> args, std::vector<AclRequest::Key> keys = {},
                   std::vector<AclRequest::Channel> channels = {}) {
    const std::vector<std::string_view> all(args);
    std::string name(all[0]);
    int command = users.commands().Find(name);
    if (users.commands().HasSubcommands(command) && all.size() > 1)
      command = users.commands().Find(name + "|" + std::string(all[1]));
    return users.Find("alice")->Check(users.commands(), {command, all, keys, channels});
  }
  bool Allows(std::initializer_list<std::string_view> args) { return static_cast<bool>(Check(args)); }
};

using Denied = AclVerdict::Denied;

}  // namespace

TEST(Acl, LetsTheDefaultUserDoEverythingWithoutAPassword) {
  World world;
  CHECK(world.users.default_user().unrestricted());
  CHECK_EQ(world.users.default_user().Describe(world.users.commands()), "on nopass ~* &* +@all");
  CHECK(world.users.Authenticate("default", "anything") == &world.users.default_user());
}

TEST(Acl, LetsANewUserDoNothing) {
  World world;
  CHECK_EQ(world.Set({}), "");
  CHECK_EQ(world.Told(), "off resetchannels -@all");
  CHECK(!world.Allows({"get"}));
  CHECK(world.Allows({"auth", "x"}));
  CHECK(world.users.Authenticate("alice", "") == nullptr);
}

TEST(Acl, AcceptsOneOfThePasswordsOfAnEnabledUserOnly) {
  World world;
  CHECK_EQ(world.Set({"on", ">one",
                      "#"
                      "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"}),
           "");
  CHECK(world.users.Authenticate("alice", "one") != nullptr);
  CHECK(world.users.Authenticate("alice", "two") != nullptr);  // whose hash was given
  CHECK(world.users.Authenticate("alice", "three") == nullptr);
  CHECK(world.users.Authenticate("bob", "one") == nullptr);
  CHECK_EQ(world.Set({"<one"}), "");
  CHECK(world.users.Authenticate("alice", "one") == nullptr);
  CHECK_EQ(world.Set({">one", "off"}), "");
  CHECK(world.users.Authenticate("alice", "one") == nullptr);
  CHECK_EQ(world.Set({"on", "nopass"}), "");
  CHECK(world.users.Authenticate("alice", "whatever") != nullptr);
  CHECK_EQ(world.Set({"resetpass"}), "");
  CHECK(world.users.Authenticate("alice", "whatever") == nullptr);
}

TEST(Acl, TellsNoPasswordInAnErrorNorInTheRules) {
  World world;
  const std::string error = world.Set({"<secret"});
  CHECK_EQ(error,
           "Error in ACL SETUSER modifier '<(redacted)': The password you are trying to remove from the user does "
           "not exist");
  CHECK(world.users.Find("alice") == nullptr);
  CHECK_EQ(world.Set({"on", ">secret"}), "");
  CHECK_EQ(world.Told(), "on #" + Sha256Hex("secret") + " resetchannels -@all");
}

TEST(Acl, SetsThePasswordOfTheDefaultUserAsRequirepassSays) {
  World world;
  world.users.SetDefaultPassword("pw");
  CHECK(world.users.Authenticate("default", "no") == nullptr);
  CHECK(world.users.Authenticate("default", "pw") != nullptr);
  world.users.SetDefaultPassword("");
  CHECK(!world.users.default_user().needs_password());
}

TEST(Acl, AllowsCommandsCategoriesAndSubcommands) {
  World world;
  CHECK_EQ(world.Set({"+@read", "+config|get", "+select|0"}), "");
  CHECK(world.Allows({"get", "k"}));
  CHECK(!world.Allows({"set", "k", "v"}));
  CHECK(world.Allows({"config", "get", "*"}));
  CHECK(!world.Allows({"config", "set", "a", "b"}));
  CHECK(world.Allows({"select", "0"}));
  CHECK(!world.Allows({"select", "1"}));
  CHECK(!world.Allows({"select"}));
  CHECK_EQ(world.Told(), "off resetchannels -@all +@read +select|0 +config|get");
  CHECK_EQ(world.Set({"+@all", "-@dangerous", "-set"}), "");
  CHECK(world.Allows({"get", "k"}));
  CHECK(!world.Allows({"set", "k", "v"}));
  CHECK(!world.Allows({"flushall"}));
  CHECK_EQ(world.Told(), "off resetchannels +@all -@dangerous -set");
}

TEST(Acl, ReadsRulesInAnyCaseAndTellsThemInTheOrderOfRedis) {
  World world;
  CHECK_EQ(world.Set({"ON", "AllKeys", "AllChannels", "+@READ", "+Config|Get"}), "");
  CHECK_EQ(world.Told(), "on ~* &* -@all +@read +config|get");
}

TEST(Acl, AllowsKeysByPatternAndKindOfAccess) {
  World world;
  CHECK_EQ(world.Set({"+@all", "~both:*", "%R~read:*", "%W~write:*", "%RW~too:*"}), "");
  CHECK(static_cast<bool>(world.Check({"get", "both:1"}, {{1, kReadsKey}})));
  CHECK(static_cast<bool>(world.Check({"set", "both:1", "v"}, {{1, kWritesKey}})));
  CHECK(static_cast<bool>(world.Check({"get", "read:1"}, {{1, kReadsKey}})));
  CHECK(world.Check({"set", "read:1", "v"}, {{1, kWritesKey}}).denied == Denied::kKey);
  CHECK(static_cast<bool>(world.Check({"set", "write:1", "v"}, {{1, kWritesKey}})));
  const AclVerdict verdict = world.Check({"copy", "read:1", "read:2"}, {{1, kReadsKey}, {2, kWritesKey}});
  CHECK(verdict.denied == Denied::kKey);
  CHECK_EQ(verdict.position, size_t{2});
  CHECK_EQ(world.Told(), "off ~both:* %R~read:* %W~write:* ~too:* resetchannels +@all");
}

TEST(Acl, AllowsChannelsByPatternAndPatternsByName) {
  World world;
  CHECK_EQ(world.Set({"+@all", "&news.*"}), "");
  CHECK(static_cast<bool>(world.Check({"publish", "news.art", "x"}, {}, {{1, false}})));
  CHECK(world.Check({"publish", "other", "x"}, {}, {{1, false}}).denied == Denied::kChannel);
  CHECK(static_cast<bool>(world.Check({"publish", "news.*", "x"}, {}, {{1, true}})));
  CHECK(world.Check({"publish", "news.a*", "x"}, {}, {{1, true}}).denied == Denied::kChannel);
}

TEST(Acl, AllowsWhatOneSelectorAllowsAsAWhole) {
  World world;
  CHECK_EQ(world.Set({"+get", "~a:*", "(+set ~b:*)", "(+mget", "%R~c:*)"}), "");
  CHECK(static_cast<bool>(world.Check({"get", "a:1"}, {{1, kReadsKey}})));
  CHECK(static_cast<bool>(world.Check({"set", "b:1", "v"}, {{1, kWritesKey}})));
  CHECK(static_cast<bool>(world.Check({"mget", "c:1"}, {{1, kReadsKey}})));
  CHECK(world.Check({"set", "a:1", "v"}, {{1, kWritesKey}}).denied == Denied::kKey);
  CHECK(world.Check({"flushall"}).denied == Denied::kCommand);
  CHECK_EQ(world.Told(),
           "off ~a:* resetchannels -@all +get (~b:* resetchannels -@all +set) (%R~c:* resetchannels -@all +mget)");
  CHECK_EQ(world.Set({"clearselectors"}), "");
  CHECK_EQ(world.Told(), "off ~a:* resetchannels -@all +get");
}

TEST(Acl, ChangesNothingIfOneRuleIsNoGood) {
  World world;
  CHECK_EQ(world.Set({"on", "+get"}), "");
  CHECK_EQ(world.Set({"+set", "+nosuch"}),
           "Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL");
  CHECK_EQ(world.Set({"+@nosuch"}),
           "Error in ACL SETUSER modifier '+@nosuch': Unknown command or category name in ACL");
  CHECK_EQ(world.Set({"%~x"}), "Error in ACL SETUSER modifier '%~x': Syntax error");
  CHECK_EQ(world.Set({"%RR~x"}), "Error in ACL SETUSER modifier '%RR~x': Syntax error");
  CHECK_EQ(world.Set({"nonsense"}), "Error in ACL SETUSER modifier 'nonsense': Syntax error");
  CHECK_EQ(world.Set({"+config|get|x"}),
           "Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported");
  CHECK_EQ(world.Set({"#zz"}),
           "Error in ACL SETUSER modifier '#(redacted)': The password hash must be exactly 64 "
           "characters and contain only lowercase hexadecimal characters");
  CHECK_EQ(world.Set({"(+get", "~x"}), "Unmatched parenthesis in acl selector starting at '(+get'.");
  CHECK(world.Set({"allkeys", "~x"}).find("Adding a pattern after the * pattern (or the 'allkeys' flag)") !=
        std::string::npos);
  CHECK_EQ(world.Told(), "on resetchannels -@all +get");
}

TEST(Acl, ShowsTheUserAsItWasAndWillBeBeforeItChanges) {
  World world;
  CHECK_EQ(world.Set({"on", "allchannels"}), "");
  int calls = 0;
  const std::string_view rules[] = {"resetchannels"};
  world.users.Set("alice", rules, [&](const User& before, const User& after) {
    ++calls;
    CHECK(before.AllowsChannel("x", false));
    CHECK(!after.AllowsChannel("x", false));
  });
  CHECK_EQ(calls, 1);
}

TEST(Acl, ResetsAUserToWhatANewOneIs) {
  World world;
  CHECK_EQ(world.Set({"on", ">pw", "+@all", "allkeys", "allchannels", "(+get ~x)"}), "");
  CHECK_EQ(world.Set({"reset"}), "");
  CHECK_EQ(world.Told(), "off sanitize-payload resetchannels -@all");
}

}  // namespace zerohop::resp
