#include "resp/reply.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "resp/counts.h"

namespace zerohop::resp {
namespace {

constexpr size_t kHeadBytesMax = 24;  // a type, 20 digits with a sign, and the line's end

// Type, number, line end.  Returns what follows.
char* PutHead(char* to, char type, int64_t value) {
  *to++ = type;
  if (value >= 0 && value < 10) [[likely]] {
    *to++ = static_cast<char>('0' + value);
  } else {
    to = std::to_chars(to, to + 21, value).ptr;
  }
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

}  // namespace

void Reply::Head(char type, int64_t value) {
  char* const from = out_.Room(kHeadBytesMax);
  out_.Advance(static_cast<size_t>(PutHead(from, type, value) - from));
}

void Reply::Simple(std::string_view text) {
  out_.Put("+");
  out_.Put(text);
  out_.Put("\r\n");
}

void Reply::Error(std::string_view text) {
  ++error_count_;
  if (errors_ != nullptr) errors_->Add(text.substr(0, text.find(' ')));
  char* const to = out_.Room(text.size() + 3);
  to[0] = '-';
  for (size_t i = 0; i < text.size(); ++i) to[i + 1] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
  to[text.size() + 1] = '\r';
  to[text.size() + 2] = '\n';
  out_.Advance(text.size() + 3);
}

void Reply::Bulk(std::string_view bytes) {
  char* const from = out_.Room(kHeadBytesMax + bytes.size() + 2);
  char* to = PutHead(from, '$', static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  to += bytes.size();
  *to++ = '\r';
  *to++ = '\n';
  out_.Advance(static_cast<size_t>(to - from));
}

void Reply::Value(Bytes bytes) {
  if (bytes.size() < kBorrowedBytesMin) return Bulk(bytes);
  Head('$', static_cast<int64_t>(bytes.size()));
  out_.Borrow(bytes);
  out_.Put("\r\n");
}

void Reply::BulkInteger(int64_t value) {
  char text[24];
  const char* const end = std::to_chars(text, text + sizeof text, value).ptr;
  Bulk(std::string_view(text, static_cast<size_t>(end - text)));
}

void Reply::Double(double value) {
  char text[40];
  size_t bytes;
  if (std::isinf(value)) {
    bytes = static_cast<size_t>(std::snprintf(text, sizeof text, "%s", value > 0 ? "inf" : "-inf"));
  } else if (std::isnan(value)) {
    bytes = static_cast<size_t>(std::snprintf(text, sizeof text, "nan"));
  } else {
    bytes = static_cast<size_t>(std::snprintf(text, sizeof text, "%.17g", value));
  }
  if (protocol_ == 2) return Bulk(std::string_view(text, bytes));
  out_.Put(",");
  out_.Put({text, bytes});
  out_.Put("\r\n");
}

void Reply::Verbatim(std::string_view text, std::string_view format) {
  if (protocol_ == 2) return Bulk(text);
  Head('=', static_cast<int64_t>(text.size() + 4));
  out_.Put(format);
  out_.Put(":");
  out_.Put(text);
  out_.Put("\r\n");
}

}  // namespace zerohop::resp
