// sanitizers.h: whether a sanitizer watches.
//
//   ZEROHOP_TSAN       the thread sanitizer, which does not know every system call
//   ZEROHOP_SANITIZED  the thread or the address sanitizer, under which threads are many times slower
#pragma once

#if defined(__SANITIZE_THREAD__)
#define ZEROHOP_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define ZEROHOP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROHOP_TSAN 1
#elif __has_feature(address_sanitizer)
#define ZEROHOP_SANITIZED 1
#endif
#endif

#if defined(ZEROHOP_TSAN)
#define ZEROHOP_SANITIZED 1
#endif
