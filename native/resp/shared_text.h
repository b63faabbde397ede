// shared_text.h: bytes that go to many clients and are held once: a message of a channel.
//
// It counts itself among what a server holds for its clients, from its making until the last client let go of it.
// Threads  any: nobody changes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace zerohop::resp {

class SharedText {
 public:
  // `held_bytes` outlives it.
  SharedText(std::string text, std::atomic<uint64_t>& held_bytes) : text_(std::move(text)), held_bytes_(held_bytes) {
    held_bytes_.fetch_add(text_.size(), std::memory_order_relaxed);
  }
  ~SharedText() { held_bytes_.fetch_sub(text_.size(), std::memory_order_relaxed); }
  SharedText(const SharedText&) = delete;
  SharedText& operator=(const SharedText&) = delete;

  const std::string& text() const { return text_; }

 private:
  const std::string text_;
  std::atomic<uint64_t>& held_bytes_;
};

using SharedTextRef = std::shared_ptr<const SharedText>;

}  // namespace zerohop::resp
