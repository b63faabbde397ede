#include "resp/dispatch.h"

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "resp/ascii.h"
#include "resp/changes.h"
#include "resp/client.h"
#include "resp/command_table.h"
#include "resp/permission.h"
#include "resp/server.h"
#include "resp/transaction.h"
#include "resp/worker.h"

namespace zerohop::resp {
namespace {

constexpr size_t kBriefWordsMax = 16;  // more, and no command is brief
constexpr size_t kBriefBytesMax = size_t{16} << 10;
constexpr size_t kNameShownMax = 128;  // of a command that nobody knows

// A wrong name, and its first words, as Redis shows them.
std::string UnknownCommand(const Args& args) {
  std::string text = "ERR unknown command '";
  text.append(args[0].substr(0, kNameShownMax)).append("', with args beginning with: ");
  size_t shown = 0;
  for (size_t i = 1; i < args.size() && shown < kNameShownMax; ++i) {
    const std::string_view word = args[i].substr(0, kNameShownMax - shown);
    text.append("'").append(word).append("' ");
    shown += word.size() + 3;
  }
  return text;
}

bool RightArity(const Command& command, size_t words) {
  return command.arity >= 0 ? words == static_cast<size_t>(command.arity)
                            : words >= static_cast<size_t>(-command.arity);
}

// What it does is little, and the same each time.
bool IsBrief(const Command& command, const Args& args) {
  return (command.flags & (kFast | kBrief)) != 0 && args.size() <= kBriefWordsMax &&
         args.TotalBytes() <= kBriefBytesMax;
}

}  // namespace

PlainKinds PlainKindsOf(const Client& client, const Server& server) {
  constexpr uint32_t kNotPlain = kClientTransaction | kClientReplyOff | kClientReplySkip | kClientReplySkipNext |
                                 kClientTracking | kClientSubscribed | kClientCloseAfterReply | kClientClosing;
  if (!client.authenticated || (client.flags & kNotPlain) != 0 || !client.account->unrestricted()) return {};
  const bool may_store = server.pause.what == Pause::kNone && !server.out_of_memory.load(std::memory_order_relaxed);
  return {.get = server.pause.what != Pause::kAll, .set = may_store};
}

// What a client that tracks is about to read.
void RememberKeys(Context& context) {
  const Client& client = context.client;
  const bool caching = client.Has(kClientTrackingCaching);
  if (client.Has(kClientTrackingBroadcast)) return;
  if ((client.Has(kClientTrackingOptIn) && !caching) || (client.Has(kClientTrackingOptOut) && caching)) return;
  const Command& command = context.command;
  if (command.first_key == 0) return;
  const int words = static_cast<int>(context.args.size());
  const int last = command.last_key < 0 ? words + command.last_key : command.last_key;
  for (int at = command.first_key; at <= last && at < words; at += command.key_step)
    context.server.changes().Remember(context.client, context.args[static_cast<size_t>(at)]);
}

void Run(Context& context) {
  const uint64_t errors = context.reply.errors();
  const bool brief = IsBrief(context.command, context.args);
  const bool timed = !brief || context.worker.counts().by_command[context.command.index].calls % kTimedEvery == 0;
  if (!brief) context.worker.SendDeferred();
  const uint64_t from = timed ? NowUs() : 0;
  Client& client = context.client;
  // Noted before it is looked up: no change comes between.
  if (client.Has(kClientTracking) && (context.command.flags & kReadOnly) != 0) [[unlikely]]
    RememberKeys(context);
  context.command.run(context);
  // Looked up now: CONFIG RESETSTAT makes new ones, and EXEC may run it.
  CommandCounts& counts = context.worker.counts().by_command[context.command.index];
  if (!client.Has(kClientInSteps)) ++counts.calls;
  if (timed) {
    const uint64_t took = NowUs() - from;
    const uint64_t weight = brief ? kTimedEvery : 1;
    counts.micros += took * weight;
    context.worker.command_times().Record(context.command.index, took, weight);
    context.worker.Spent(took);
  }
  if (context.reply.errors() != errors) ++counts.failed;
}

namespace {

bool IsExec(const Command& command) { return command.container == nullptr && std::strcmp(command.name, "exec") == 0; }

// Whether the client may not run it while clients are paused.
bool IsPaused(const Worker& worker, const Client& client, const Command& command) {
  const auto& pause = worker.server().pause;
  if (pause.what == Pause::kNone || pause.until_us <= NowUs()) return false;
  if (pause.what == Pause::kAll) return true;
  constexpr uint32_t kWriting = kWrite | kMayReplicate;
  return (command.flags & kWriting) != 0 || (IsExec(command) && (FlagsOfQueued(client) & kWriting) != 0);
}

// One request on its way to its command.
class Request {
 public:
  Request(Worker& worker, Client& client, const Args& words, Output& out)
      : worker_(worker),
        client_(client),
        words_(words),
        out_(out),
        before_(out.bytes()),
        reply_(out, client.protocol, &worker.counts().errors) {}

  Ran Go() {
    // What CLIENT REPLY SKIP was said of is this command.
    if (client_.Has(kClientReplySkipNext)) {
      client_.Put(kClientReplySkipNext, false);
      client_.Put(kClientReplySkip);
    }
    FindCommand();
    client_.last_command = command_;
    if (command_ != nullptr && MayRun()) {
      if (IsPaused(worker_, client_, *command_)) {
        worker_.Park(client_, Parked::kPaused, worker_.server().pause.until_us);
        return Ran::kParked;
      }
      if (client_.Has(kClientTransaction) && (command_->flags & kNeverQueued) == 0) {
        Queue(client_, *command_, words_);
        reply_.Simple("QUEUED");
      } else {
        RunNow();
        if (client_.Has(kClientParked | kClientInSteps)) {
          out_.Rewind(before_);
          return Ran::kParked;
        }
      }
    }
    if (client_.Has(kClientReplyOff | kClientReplySkip)) out_.Rewind(before_);
    client_.Put(kClientReplySkip, false);
    if (client_.Has(kClientTrackingCaching) && !client_.Has(kClientTransaction) && !IsOfClient())
      client_.Put(kClientTrackingCaching, false);
    return Ran::kDone;
  }

 private:
  // Leaves command_ null, and says so, if there is none of that name.
  void FindCommand() {
    const CommandTable& table = CommandTable::Process();
    const Command* const found = table.Find(words_[0]);
    if (found == nullptr) {
      // A web page made a browser speak to us: what follows its headers is not for us to run.
      if (EqualsAnyCase(words_[0], "post") || EqualsAnyCase(words_[0], "host:")) worker_.Close(client_);
      return Reject(UnknownCommand(words_));
    }
    command_ = found;
    if (found->subcommands.empty() || words_.size() < 2) return;
    command_ = table.FindSubcommand(*found, words_[1]);
    if (command_ != nullptr) return;
    std::string upper(found->name);
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
    Reject(std::string("ERR unknown subcommand '")
               .append(words_[1].substr(0, kNameShownMax))
               .append("'. Try ")
               .append(upper)
               .append(" HELP."));
  }

  bool MayRun() {
    if (!RightArity(*command_, words_.size()) || command_->run == nullptr)
      return Reject("ERR wrong number of arguments for '" + CommandTable::FullName(*command_) + "' command"), false;
    if (!client_.authenticated && (command_->flags & kNoAuth) == 0)
      return Reject("NOAUTH Authentication required."), false;
    if (client_.Has(kClientTransaction) && (command_->flags & kNoMulti) != 0)
      return Reject("ERR Command not allowed inside a transaction"), false;
    const AclVerdict verdict = CheckPermission(worker_.server().users(), *client_.account, *command_, words_);
    if (!verdict) [[unlikely]]
      return Deny(verdict), false;
    if (worker_.server().out_of_memory.load(std::memory_order_relaxed) && TakesMemory()) [[unlikely]]
      return Reject("OOM command not allowed when used memory > 'maxmemory'."), false;
    if (client_.Has(kClientSubscribed) && client_.protocol == 2 && (command_->flags & kInSubscribed) == 0) {
      Reject("ERR Can't execute '" + CommandTable::FullName(*command_) +
             "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
      return false;
    }
    return true;
  }

  // So does a command that EXEC is to run.
  bool TakesMemory() const {
    if (client_.Has(kClientTransaction) && !IsExec(*command_))
      return (command_->flags & kNeverQueued) == 0 || std::strcmp(command_->name, "watch") == 0;
    return ((command_->flags | (IsExec(*command_) ? FlagsOfQueued(client_) : 0)) & kDenyOom) != 0;
  }

  void Deny(const AclVerdict& verdict) {
    LogDenial(client_, *command_, words_, verdict);
    switch (verdict.denied) {
      case AclVerdict::Denied::kKey:
        return Reject("NOPERM this user has no permissions to access one of the keys used as arguments");
      case AclVerdict::Denied::kChannel:
        return Reject("NOPERM this user has no permissions to access one of the channels used as arguments");
      default:
        return Reject("NOPERM this user has no permissions to run the '" + CommandTable::FullName(*command_) +
                      "' command");
    }
  }

  void Reject(std::string_view error) {
    client_.steps.reset();
    worker_.Unstage(client_);
    if (command_ != nullptr) ++worker_.counts().by_command[command_->index].rejected;
    if (client_.Has(kClientTransaction)) client_.Put(kClientTransactionFailed);
    if (command_ == nullptr || !IsExec(*command_)) return reply_.Error(error);
    Discard(client_);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    reply_.Error(std::string("EXECABORT Transaction discarded because of: ").append(error));
  }

  void RunNow() {
    Server& server = worker_.server();
    // The keyspace of the database was opened when it was selected.
    const uint16_t space = server.OpenedSpaceOf(client_.database).value_or(0);
    Context context{server, worker_, client_, server.cache(), worker_.session(), reply_, *command_, words_, space};
    if ((command_->flags & kGuarded) == 0) worker_.LeaveGuard();
    if ((command_->flags & kExclusive) != 0) {
      worker_.GoExclusive();
      Run(context);
      worker_.GoShared();
    } else {
      Run(context);
    }
    if (!client_.Has(kClientInSteps)) {
      ++client_.commands;
      ++worker_.counts().commands;
    }
    // Clients that track hear of a cleared database before the next reply.
    if (worker_.hands_out_soon()) server.changes().TellCleared();
  }

  bool IsOfClient() const {
    return command_ != nullptr && command_->container != nullptr &&
           std::strcmp(command_->container->name, "client") == 0;
  }

  Worker& worker_;
  Client& client_;
  const Args& words_;
  Output& out_;
  const size_t before_;
  Reply reply_;
  const Command* command_ = nullptr;
};

}  // namespace

Ran Dispatch(Worker& worker, Client& client, const Args& words, Output& out) {
  return Request(worker, client, words, out).Go();
}

const ReadGuard& Context::Guard() const { return worker.Guard(); }

}  // namespace zerohop::resp
