// thread_sanitizer.h: ZEROHOP_TSAN is defined under the thread sanitizer, which does not know every system call.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define ZEROHOP_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ZEROHOP_TSAN 1
#endif
#endif
