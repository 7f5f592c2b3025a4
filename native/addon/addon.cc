// The module: what kernels this binary has, and the class that runs them.

#include "native_backend.h"

#include "../runtime/cpu.h"

namespace gptoss {

namespace {

/// [{ name, description, missing }]: `missing` names the features this machine lacks, and is empty where it runs.
Napi::Value list_variants(Napi::Env env) {
  Napi::Array list = Napi::Array::New(env);
  for (const Variant& variant : variants()) {
    const uint32_t missing = variant.needs & ~cpu_features();
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", variant.kernels.name);
    entry.Set("description", variant.kernels.description);
    entry.Set("missing", missing == 0 ? "" : feature_names(missing));
    list.Set(list.Length(), entry);
  }
  return list;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("interface", 3);  // src/backend/native/addon.ts refuses another number
  exports.Set("variants", list_variants(env));
  exports.Set("NativeBackend", NativeBackend::define(env));
  return exports;
}

}  // namespace

}  // namespace gptoss

static Napi::Object init_module(Napi::Env env, Napi::Object exports) { return gptoss::init(env, exports); }
NODE_API_MODULE(gptoss, init_module)
