// buffer_holder.h: who holds buffers over segments, and so can give the segments back.
//
// A segment that an external buffer shows is pinned.  A buffer that JavaScript does not use any more pins it too, until
// V8 has collected the buffer.  So the cache tells the holders of buffers what it needs.  An isolate's membership is
// such a holder (binding/membership.h); a thread without JavaScript has none.
//
// Threads  OnNotice and OnCollectionWanted: any, under the session list's lock: post a message, do nothing else.
//          Collect: the thread of the holder's session.
#pragma once

#include <cstdint>

namespace zerohop {

// Which collection of garbage would free segments.
enum class CollectionNeed : uint8_t {
  kNothing,
  kYoung,  // the young generation: released buffers still pin segments
  kWhole   // the whole heap: buffers stayed in use for so long that they have grown old
};

class BufferHolder {
 public:
  // Segments have begun to cool or were retired: release the buffers over them soon.
  virtual void OnNotice() = 0;
  // A store of another thread waits for memory: collect soon.  False: this one holds no buffer.
  virtual bool OnCollectionWanted(CollectionNeed need) = 0;
  // Collects now.  False: it did not run, because collections would take too much time.
  virtual bool Collect(CollectionNeed need) = 0;

 protected:
  ~BufferHolder() = default;
};

}  // namespace zerohop
