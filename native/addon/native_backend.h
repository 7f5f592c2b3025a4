// The JavaScript object that stands for one executor. Reads its arguments on JavaScript's thread, posts jobs, and
// settles promises when they are done. Arguments were checked in src/backend/native/, which is its only caller.

#pragma once

#define NAPI_VERSION 8
#include <napi.h>

#include <memory>

#include "../runtime/executor.h"
#include "../runtime/variants.h"

namespace gptoss {

/// A promise and what must stay alive until it settles.
struct Pending;

class NativeBackend : public Napi::ObjectWrap<NativeBackend> {
 public:
  static Napi::Function define(Napi::Env env);
  /// new NativeBackend(kernels, threads): throws when there are no such kernels, or no threads.
  explicit NativeBackend(const Napi::CallbackInfo& info);
  ~NativeBackend() override;

 private:
  Napi::Value kernels(const Napi::CallbackInfo& info);
  Napi::Value description(const Napi::CallbackInfo& info);
  Napi::Value threads(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  void submit(const Napi::CallbackInfo& info);
  void create_cache(const Napi::CallbackInfo& info);
  Napi::Value load_matrix(const Napi::CallbackInfo& info);
  Napi::Value load_vector(const Napi::CallbackInfo& info);
  Napi::Value load_experts(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  using Work = std::function<double(Engine&)>;
  /// Runs `work` on the executor; → a promise of `result`, or of the number that `work` returned when that is empty.
  Napi::Value enqueue(Napi::Env env, std::unique_ptr<Pending> pending, Work work);
  void settle(Napi::Env env, Pending* pending);
  Executor& executor(Napi::Env env) const;
  void stop();
  static void stop_at_exit(void* backend) { static_cast<NativeBackend*>(backend)->stop(); }

  Choice choice_;
  std::unique_ptr<Executor> executor_;
  Napi::ThreadSafeFunction done_;
  size_t pending_ = 0;
  bool is_stopped_ = false;
};

}  // namespace gptoss
