// status.h: how the core says that something failed: a stable code, and a sentence for a person.
//
// The core throws nothing of its own.  binding/errors.cc maps the codes to the `ERR_CACHE_*` strings that users see,
// and binding/weights_file.h to `ERR_WEIGHTS_*`.  The list is append only.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

namespace zerohop {

enum class Code {
  kOk,
  kClosed,      // the handle was closed
  kInvalid,     // an argument that the TypeScript layer should have caught
  kOptions,     // a name opened again with other options
  kNoMemory,    // the system refused memory
  kIo,          // the operating system refused something else
  kInternal,    // a bug of ours
  kNotFound,    // no such file
  kPermission,  // a file that this user may not open
  kNoSpace,     // no room in the file system
  kChanged,     // a file that was cut or written to since it was opened
  kUnreadable,  // the device, or the network, does not give what is in a file
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string detail) : code_(code), detail_(std::move(detail)) {}
  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& detail() const { return detail_; }

 private:
  Code code_ = Code::kOk;
  std::string detail_;
};

// What the operating system refused, by its `errno`.
inline Status Refused(int error) {
  const Code code = error == ENOENT || error == ENOTDIR                     ? Code::kNotFound
                    : error == EACCES || error == EPERM                     ? Code::kPermission
                    : error == ENOSPC || error == EDQUOT                    ? Code::kNoSpace
                    : error == EIO || error == ESTALE || error == ETIMEDOUT ? Code::kUnreadable
                    : error == ENOMEM                                       ? Code::kNoMemory
                                                                            : Code::kIo;
  return {code, std::system_category().message(error)};
}

// A value, or the status that says why there is none; never holds an ok status.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return state_.index() == 0; }
  T& value() { return std::get<0>(state_); }
  const Status& status() const { return std::get<1>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace zerohop
