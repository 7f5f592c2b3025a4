#include "native_backend.h"

#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace gptoss {

struct Pending {
  explicit Pending(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise::Deferred deferred;
  std::vector<Napi::Reference<Napi::Value>> kept;  // buffers that the work reads or writes
  bool is_close = false;
  double number = 0;
  std::optional<Failure> failure;
};

namespace {

Napi::Error to_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", failure.code);
  return error;
}

int32_t word(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }
size_t count(const Napi::Value& value) { return static_cast<size_t>(value.As<Napi::Number>().Int64Value()); }

Storage storage(const std::string& dtype) {
  if (dtype == "Q8_0") return Storage::kQ8_0;
  return dtype == "F32" ? Storage::kF32 : dtype == "F16" ? Storage::kF16 : Storage::kBf16;
}

/// { path, offset, bytes } of a file, or { data: Uint8Array }, which is kept until the work is done.
Source source(const Napi::Object& object, Pending& pending) {
  Source result;
  result.bytes = count(object.Get("bytes"));
  if (object.Has("data")) {
    Napi::Uint8Array data = object.Get("data").As<Napi::Uint8Array>();
    result.data = data.Data();
    pending.kept.push_back(Napi::Persistent(data.As<Napi::Value>()));
  } else {
    result.path = object.Get("path").As<Napi::String>().Utf8Value();
    result.offset = count(object.Get("offset"));
  }
  return result;
}

VectorSource vector_source(const Napi::Object& object, Pending& pending) {
  return {source(object, pending), storage(object.Get("dtype").As<Napi::String>().Utf8Value()),
          count(object.Get("length"))};
}

/// { blocks, scales }, or { parts: [source with expertBytes], nibbles } of GGUF files.
ExpertMatrixSource expert_matrix_source(const Napi::Object& object, Pending& pending) {
  ExpertMatrixSource matrix;
  if (!object.Has("parts")) {
    matrix.blocks = source(object.Get("blocks").As<Napi::Object>(), pending);
    matrix.scales = source(object.Get("scales").As<Napi::Object>(), pending);
    return matrix;
  }
  const Napi::Array parts = object.Get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length(); i++) {
    const Napi::Object part = parts.Get(i).As<Napi::Object>();
    matrix.parts.push_back({source(part, pending), count(part.Get("expertBytes"))});
  }
  matrix.pairs_halves = object.Get("nibbles").As<Napi::String>().Utf8Value() == "halves";
  return matrix;
}

}  // namespace

Napi::Function NativeBackend::define(Napi::Env env) {
  return DefineClass(env, "NativeBackend",
                     {
                         InstanceAccessor<&NativeBackend::kernels>("kernels"),
                         InstanceAccessor<&NativeBackend::description>("description"),
                         InstanceAccessor<&NativeBackend::threads>("threads"),
                         InstanceAccessor<&NativeBackend::bytes>("bytes"),
                         InstanceMethod<&NativeBackend::submit>("submit"),
                         InstanceMethod<&NativeBackend::create_cache>("createCache"),
                         InstanceMethod<&NativeBackend::load_matrix>("loadMatrix"),
                         InstanceMethod<&NativeBackend::load_vector>("loadVector"),
                         InstanceMethod<&NativeBackend::load_experts>("loadExperts"),
                         InstanceMethod<&NativeBackend::read>("read"),
                         InstanceMethod<&NativeBackend::close>("close"),
                     });
}

NativeBackend::NativeBackend(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeBackend>(info) {
  const Napi::Env env = info.Env();
  choice_ = choose_kernels(info[0].As<Napi::String>().Utf8Value());
  if (choice_.kernels == nullptr) throw to_error(env, Failure("backend/unsupported", choice_.reason));
  try {
    executor_ = std::make_unique<Executor>(*choice_.kernels, count(info[1]));
  } catch (const std::exception& error) {
    throw to_error(env, Failure("backend/out-of-memory", error.what()));
  }
  done_ = Napi::ThreadSafeFunction::New(env, Napi::Function(), "gpt-oss native backend", 0, 1);
  done_.Unref(env);
  // Registered after the thread-safe function's own hook, and so run before it: the executor must not outlive it.
  napi_add_env_cleanup_hook(env, stop_at_exit, this);
}

NativeBackend::~NativeBackend() {
  if (is_stopped_) return;
  napi_remove_env_cleanup_hook(Env(), stop_at_exit, this);
  stop();
}

/// Drops what has not begun, waits for what has, and frees everything.
void NativeBackend::stop() {
  if (is_stopped_) return;
  is_stopped_ = true;
  if (executor_ != nullptr) {
    executor_->abandon();
    executor_.reset();
  }
  if (done_) done_.Release();
}

Executor& NativeBackend::executor(Napi::Env env) const {
  if (executor_ == nullptr) throw to_error(env, Failure("backend/freed", "the backend was closed"));
  return *executor_;
}

Napi::Value NativeBackend::kernels(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), choice_.kernels->name);
}

Napi::Value NativeBackend::description(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), std::string(choice_.kernels->description) + " (" + choice_.reason + ")");
}

Napi::Value NativeBackend::threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(executor(info.Env()).threads()));
}

Napi::Value NativeBackend::bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), executor_ == nullptr ? 0 : static_cast<double>(executor_->bytes()));
}

/// submit(words: Int32Array, count): runs commands, which are copied.
void NativeBackend::submit(const Napi::CallbackInfo& info) {
  const int32_t* words = info[0].As<Napi::Int32Array>().Data();
  std::vector<int32_t> commands(words, words + count(info[1]));
  executor(info.Env()).post(
      [commands = std::move(commands)](Engine& engine) { engine.run(commands.data(), commands.size()); });
}

/// createCache(id, kvHeads, headDim, blockTokens, blocks of each layer: Int32Array, isInt8)
void NativeBackend::create_cache(const Napi::CallbackInfo& info) {
  const int32_t id = word(info[0]);
  auto cache = std::make_shared<Cache>();
  cache->kv_heads = count(info[1]);
  cache->layout = {count(info[2]), count(info[3]), info[5].As<Napi::Boolean>().Value()};
  const Napi::Int32Array blocks = info[4].As<Napi::Int32Array>();
  try {
    for (size_t layer = 0; layer < blocks.ElementLength(); layer++) {
      const size_t bytes = static_cast<size_t>(blocks[layer]) * cache->block_bytes();
      cache->layers.emplace_back(bytes, executor(info.Env()).counter());
    }
  } catch (const Failure& failure) {
    throw to_error(info.Env(), failure);
  }
  executor(info.Env()).post([id, cache](Engine& engine) { engine.put_cache(id, std::move(*cache)); });
}

/// loadMatrix(id, source with dtype, rows, cols, to8Bit) → bytes held
Napi::Value NativeBackend::load_matrix(const Napi::CallbackInfo& info) {
  auto pending = std::make_unique<Pending>(info.Env());
  const Napi::Object from = info[1].As<Napi::Object>();
  const MatrixSource matrix = {source(from, *pending), storage(from.Get("dtype").As<Napi::String>().Utf8Value()),
                               count(from.Get("rows")), count(from.Get("cols")),
                               from.Get("to8Bit").As<Napi::Boolean>().Value()};
  return enqueue(info.Env(), std::move(pending), [id = word(info[0]), matrix](Engine& engine) {
    return static_cast<double>(engine.load(id, matrix));
  });
}

/// loadVector(id, source with dtype, length) → bytes held
Napi::Value NativeBackend::load_vector(const Napi::CallbackInfo& info) {
  auto pending = std::make_unique<Pending>(info.Env());
  const VectorSource vector = vector_source(info[1].As<Napi::Object>(), *pending);
  return enqueue(info.Env(), std::move(pending), [id = word(info[0]), vector](Engine& engine) {
    return static_cast<double>(engine.load(id, vector));
  });
}

/// loadExperts(id, { experts, hidden, intermediate, gateUp, down, and a source for each bias }) → bytes held
Napi::Value NativeBackend::load_experts(const Napi::CallbackInfo& info) {
  auto pending = std::make_unique<Pending>(info.Env());
  const Napi::Object from = info[1].As<Napi::Object>();
  const auto matrix = [&](const char* name) { return expert_matrix_source(from.Get(name).As<Napi::Object>(), *pending); };
  const auto bias = [&](const char* name) { return vector_source(from.Get(name).As<Napi::Object>(), *pending); };
  ExpertsSource experts = {};
  experts.experts = count(from.Get("experts"));
  experts.hidden = count(from.Get("hidden"));
  experts.intermediate = count(from.Get("intermediate"));
  experts.gate_up = matrix("gateUp");
  experts.down = matrix("down");
  experts.gate_up_bias = bias("gateUpBias");
  experts.down_bias = bias("downBias");
  return enqueue(info.Env(), std::move(pending), [id = word(info[0]), experts](Engine& engine) {
    return static_cast<double>(engine.load(id, experts));
  });
}

/// read(tensor, out: Float32Array): settles when `out` is filled; reports the failure of any command before it.
Napi::Value NativeBackend::read(const Napi::CallbackInfo& info) {
  auto pending = std::make_unique<Pending>(info.Env());
  Napi::Float32Array out = info[1].As<Napi::Float32Array>();
  pending->kept.push_back(Napi::Persistent(out.As<Napi::Value>()));
  return enqueue(info.Env(), std::move(pending), [id = word(info[0]), data = out.Data()](Engine& engine) {
    if (const std::optional<Failure> failure = engine.take_failure()) throw *failure;
    engine.read(id, data);
    return 0.0;
  });
}

Napi::Value NativeBackend::close(const Napi::CallbackInfo& info) {
  auto pending = std::make_unique<Pending>(info.Env());
  pending->is_close = true;
  return enqueue(info.Env(), std::move(pending), [](Engine& engine) {
    engine.clear();
    return 0.0;
  });
}

Napi::Value NativeBackend::enqueue(Napi::Env env, std::unique_ptr<Pending> pending, Work work) {
  Executor& target = executor(env);
  const Napi::Promise promise = pending->deferred.Promise();
  if (pending_++ == 0) {
    done_.Ref(env);  // a promise that is awaited keeps the process alive
    Ref();
  }
  target.post([this, raw = pending.release(), work = std::move(work)](Engine& engine) {
    try {
      raw->number = work(engine);
    } catch (const Failure& failure) {
      raw->failure = failure;
    } catch (const std::bad_alloc&) {
      raw->failure = Failure("backend/out-of-memory", "out of memory");
    }
    done_.NonBlockingCall(raw, [this](Napi::Env env, Napi::Function, Pending* done) { settle(env, done); });
  });
  return promise;
}

void NativeBackend::settle(Napi::Env env, Pending* raw) {
  const std::unique_ptr<Pending> pending(raw);
  if (env == nullptr) return;  // the environment is going away
  if (pending->is_close) {
    napi_remove_env_cleanup_hook(env, stop_at_exit, this);
    stop();
  }
  if (pending->failure) {
    pending->deferred.Reject(to_error(env, *pending->failure).Value());
  } else {
    pending->deferred.Resolve(Napi::Number::New(env, pending->number));
  }
  if (--pending_ == 0) {
    if (!is_stopped_) done_.Unref(env);
    Unref();
  }
}

}  // namespace gptoss
