#include "binding/shared_on_node20.h"

#include <dlfcn.h>

#include <memory>
#include <new>

namespace zerohop::binding {
namespace {

// v8::BackingStore, of which nothing is known but how it is destroyed.  v8::Isolate and v8::Local are pointers to a
// caller.
struct BackingStore;
using Deleter = void (*)(void* data, size_t bytes, void* hint);

// What `delete` does for v8::BackingStore.
struct Destroy {
  void operator()(BackingStore* store) const;
};
using OwnedStore = std::unique_ptr<BackingStore, Destroy>;
static_assert(sizeof(OwnedStore) == sizeof(void*), "returned as std::unique_ptr<v8::BackingStore> is");

struct Functions {
  OwnedStore (*new_store)(void* data, size_t bytes, Deleter, void* hint);
  void (*destroy_store)(BackingStore*);
  void* (*current_isolate)();
  napi_value (*new_buffer)(void* isolate, std::shared_ptr<BackingStore>);
  bool complete = false;
};

template <class Function>
bool Look(const char* name, Function* function) {
  *function = reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
  return *function != nullptr;
}

const Functions& V8() {
  static const Functions functions = [] {
    Functions f{};
    f.complete = Look("_ZN2v817SharedArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_", &f.new_store) &&
                 Look("_ZN2v812BackingStoreD1Ev", &f.destroy_store) &&
                 Look("_ZN2v87Isolate10GetCurrentEv", &f.current_isolate) &&
                 Look("_ZN2v817SharedArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE", &f.new_buffer);
    return f;
  }();
  return functions;
}

void Destroy::operator()(BackingStore* store) const {
  V8().destroy_store(store);
  ::operator delete(static_cast<void*>(store));
}

// V8 tells the deleter the length as well.
struct Finalizer {
  SharedFinalize finalize;
  void* hint;
};

void Finalize(void* data, size_t, void* held) {
  const std::unique_ptr<Finalizer> finalizer(static_cast<Finalizer*>(held));
  finalizer->finalize(data, finalizer->hint);
}

napi_status Create(napi_env, void* data, size_t bytes, SharedFinalize finalize, void* hint, napi_value* buffer) {
  void* const isolate = V8().current_isolate();
  if (isolate == nullptr) return napi_generic_failure;
  auto finalizer = std::make_unique<Finalizer>(Finalizer{finalize, hint});
  OwnedStore store = V8().new_store(data, bytes, Finalize, finalizer.get());
  if (store == nullptr) return napi_generic_failure;
  static_cast<void>(finalizer.release());  // the backing store owns it now
  *buffer = V8().new_buffer(isolate, std::shared_ptr<BackingStore>(std::move(store)));
  return *buffer == nullptr ? napi_generic_failure : napi_ok;
}

}  // namespace

CreateShared FindCreateSharedOnNode20(napi_env env) {
  const napi_node_version* version = nullptr;
  if (napi_get_node_version(env, &version) != napi_ok || version->major != 20) return nullptr;
  return V8().complete ? Create : nullptr;
}

}  // namespace zerohop::binding
