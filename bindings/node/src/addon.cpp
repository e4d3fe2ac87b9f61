// SPDX-License-Identifier: Apache-2.0
// The Node-API addon: descriptors, ops, calls, at once or on one of Node's worker threads.
//
// In:   what index.js hands over: handles of this file, tensors, plain values
// Out:  handles, specs, texts, promises; a refusal is a JavaScript Error
// A call on a worker thread keeps its op and its arrays alive; nothing of JavaScript is touched meanwhile.
#include <algorithm>
#include <memory>
#include <optional>

#include "bindings/node/src/js.h"

namespace {

using ctconv::Desc;
using ctconv::Op;
using Arguments = std::vector<napi_value>;

template <class T>
napi_value hold(napi_env env, std::shared_ptr<T> object) {
  napi_value out;
  auto* held = new std::shared_ptr<T>(std::move(object));
  const auto release = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<T>*>(data); };
  if (napi_create_external(env, held, release, nullptr, &out) != napi_ok) {
    delete held;
    throw js::Pending();
  }
  return out;
}

template <class T>
const std::shared_ptr<T>& held(napi_env env, napi_value handle) {
  void* data = nullptr;
  js::ok(napi_get_value_external(env, handle, &data));
  return *static_cast<std::shared_ptr<T>*>(data);
}

// The tensors of one call, and what keeps their memory.
struct Call {
  std::shared_ptr<Op> op;
  std::vector<std::optional<ctconv::Tensor>> tensors;
  std::optional<ctconv::Value> output_size;
  bool accumulate = false;

  const ctconv::Tensor* at(std::size_t i) const { return tensors[i] ? &*tensors[i] : nullptr; }
  ctconv::CallExtras extras() const {
    ctconv::CallExtras out;
    out.weight = at(2);
    out.bias = at(3);
    out.output_size = output_size ? &*output_size : nullptr;
    return out;
  }
  ctconv::Gradients gradients() const {
    ctconv::Gradients out;
    out.x = at(1);
    out.y = at(2);
    out.weight = at(3);
    out.dx = at(4);
    out.dw = at(5);
    out.db = at(6);
    out.output_size = output_size ? &*output_size : nullptr;
    out.accumulate = accumulate;
    return out;
  }
  const ctconv::Tensor& first(const char* name) const {
    if (!tensors[0]) throw std::invalid_argument(std::string(name) + ": a Tensor is wanted");
    return *tensors[0];
  }
};

constexpr const char* kForward[] = {"x", "y", "weight", "bias"};
constexpr const char* kBackward[] = {"dy", "x", "y", "weight", "dx", "dw", "db"};

template <std::size_t N>
Call call_of(napi_env env, napi_value op, napi_value object, const char* const (&names)[N]) {
  Call out;
  out.op = held<Op>(env, op);
  for (const char* name : names) {
    const napi_value given = js::get(env, object, name);
    out.tensors.emplace_back();
    if (!js::absent(env, given)) out.tensors.back() = js::tensor(env, given);
  }
  const napi_value size = js::get(env, object, "outputSize");
  if (!js::absent(env, size)) out.output_size = js::value(env, size);
  const napi_value accumulate = js::get(env, object, "accumulate");
  if (!js::absent(env, accumulate)) js::ok(napi_get_value_bool(env, accumulate, &out.accumulate));
  return out;
}

void forward(const Call& call) {
  if (!call.tensors[1]) throw std::invalid_argument("y: a Tensor is wanted");
  call.op->execute(call.first("x"), *call.tensors[1], call.extras());
}

void backward(const Call& call) { call.op->backward(call.first("dy"), call.gradients()); }

// ---- on a worker thread -----------------------------------------------------------------------------------------

struct Job {
  Call call;
  void (*run)(const Call&);
  napi_ref arrays = nullptr;  // the call's object: its typed arrays stay
  napi_deferred promise = nullptr;
  napi_async_work work = nullptr;
  std::optional<ctconv_error> refused;
  std::string failed;
};

void work(napi_env, void* data) {
  Job& job = *static_cast<Job*>(data);
  try {
    job.run(job.call);
  } catch (const ctconv::error& e) {
    job.refused = e.record();
  } catch (const std::exception& e) {
    job.failed = e.what();
  }
}

void finish(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  napi_value out;
  try {
    napi_delete_reference(env, job->arrays);
    napi_delete_async_work(env, job->work);
    if (job->refused || !job->failed.empty()) {
      out = job->refused ? js::error(env, *job->refused) : js::error(env, job->failed);
      js::ok(napi_reject_deferred(env, job->promise, out));
    } else {
      js::ok(napi_get_undefined(env, &out));
      js::ok(napi_resolve_deferred(env, job->promise, out));
    }
  } catch (const js::Pending&) {  // the engine goes down
  }
}

napi_value start(napi_env env, Call call, void (*run)(const Call&), napi_value object) {
  auto job = std::make_unique<Job>();
  napi_value promise;
  job->call = std::move(call);
  job->run = run;
  js::ok(napi_create_reference(env, object, 1, &job->arrays));
  js::ok(napi_create_promise(env, &job->promise, &promise));
  js::ok(napi_create_async_work(env, nullptr, js::text(env, "ctconv"), work, finish, job.get(), &job->work));
  js::ok(napi_queue_async_work(env, job->work));
  job.release();  // finish owns it now
  return promise;
}

// ---- what index.js calls ----------------------------------------------------------------------------------------

napi_value nothing(napi_env env) {
  napi_value out;
  js::ok(napi_get_undefined(env, &out));
  return out;
}

// (dialect, [[name, value], ...])
napi_value make_desc(napi_env env, const Arguments& given) {
  auto desc = std::make_shared<Desc>(js::text(env, given[0]));
  for (napi_value pair : js::items(env, given[1], "args")) {
    const auto entry = js::items(env, pair, "args");
    desc->set(js::text(env, entry[0]), js::value(env, entry[1]));
  }
  return hold(env, std::move(desc));
}

napi_value validate(napi_env env, const Arguments& given) {
  held<Desc>(env, given[0])->validate();
  return nothing(env);
}

// (desc, x or null) as [weight, bias or null]
napi_value weight_spec(napi_env env, const Arguments& given) {
  std::optional<ctconv::Tensor> x;
  if (!js::absent(env, given[1])) x = js::tensor(env, given[1]);
  const ctconv::WeightSpec specs = held<Desc>(env, given[0])->weight_spec(x ? &*x : nullptr);
  napi_value out;
  js::ok(napi_create_array(env, &out));
  js::ok(napi_set_element(env, out, 0, js::spec(env, specs.weight)));
  js::ok(napi_set_element(env, out, 1, js::spec(env, specs.bias)));
  return out;
}

// (desc, whether the bias, seed, tensor)
napi_value init(napi_env env, const Arguments& given) {
  bool bias = false;
  js::ok(napi_get_value_bool(env, given[1], &bias));
  const auto seed = static_cast<uint64_t>(js::integer(env, given[2], "seed"));
  const ctconv::Tensor out = js::tensor(env, given[3]);
  const auto& desc = held<Desc>(env, given[0]);
  bias ? desc->init_bias(seed, out) : desc->init_weight(seed, out);
  return nothing(env);
}

int32_t option(napi_env env, napi_value options, const char* name) {
  const napi_value given = js::get(env, options, name);
  const int64_t number = js::absent(env, given) ? 0 : js::integer(env, given, name);
  return static_cast<int32_t>(std::max<int64_t>(INT32_MIN, std::min<int64_t>(INT32_MAX, number)));
}

double real(napi_env env, napi_value options, const char* name) {
  const napi_value given = js::get(env, options, name);
  double number = 0;
  if (!js::absent(env, given) && napi_get_value_double(env, given, &number) != napi_ok)
    throw std::invalid_argument(std::string(name) + ": a number is wanted");
  return number;
}

// (desc, weight or null, bias or null, options)
napi_value make_op(napi_env env, const Arguments& given) {
  ctconv::Options options;
  std::string engine;
  const napi_value named = js::get(env, given[3], "engine");
  if (!js::absent(env, named)) {
    engine = js::text(env, named);
    options.engine = engine.c_str();
  }
  options.threads = option(env, given[3], "threads");
  options.plan_limit = option(env, given[3], "planLimit");
  options.activation = option(env, given[3], "activation");
  options.activation_alpha = real(env, given[3], "alpha");
  options.activation_beta = real(env, given[3], "beta");
  options.reproducible = option(env, given[3], "reproducible");
  options.math = option(env, given[3], "math");
  options.tuning = option(env, given[3], "tuning");
  std::optional<ctconv::Tensor> weight, bias;
  if (!js::absent(env, given[1])) weight = js::tensor(env, given[1]);
  if (!js::absent(env, given[2])) bias = js::tensor(env, given[2]);
  const auto& desc = *held<Desc>(env, given[0]);
  if (!weight) return hold(env, std::make_shared<Op>(desc, options));
  if (!bias) return hold(env, std::make_shared<Op>(desc, *weight, options));
  return hold(env, std::make_shared<Op>(desc, *weight, *bias, options));
}

napi_value output_spec(napi_env env, const Arguments& given) {
  const Call call = call_of(env, given[0], given[1], kForward);
  return js::spec(env, call.op->output_spec(call.first("x"), call.extras()));
}

napi_value describe(napi_env env, const Arguments& given) {
  if (js::absent(env, given[1])) return js::text(env, held<Op>(env, given[0])->describe());
  const Call call = call_of(env, given[0], given[1], kForward);
  return js::text(env, call.op->describe(call.first("x"), call.extras(), call.at(1)));
}

// (op, call, whether on a worker thread)
template <const auto& names, void (*run)(const Call&)>
napi_value execute(napi_env env, const Arguments& given) {
  Call call = call_of(env, given[0], given[1], names);
  bool apart = false;
  js::ok(napi_get_value_bool(env, given[2], &apart));
  if (apart) return start(env, std::move(call), run, given[1]);
  run(call);
  return nothing(env);
}

napi_value strings(napi_env env, int32_t count, const char* (*name)(int32_t)) {
  napi_value out;
  js::ok(napi_create_array(env, &out));
  for (int32_t i = 0; i < count; ++i)
    js::ok(napi_set_element(env, out, static_cast<uint32_t>(i), js::text(env, name(i))));
  return out;
}

napi_value info(napi_env env, const Arguments&) {
  napi_value out;
  js::ok(napi_create_object(env, &out));
  js::set(env, out, "version", js::text(env, ctconv_version_string()));
  js::set(env, out, "buildInfo", js::text(env, ctconv_build_info()));
  js::set(env, out, "dialects", strings(env, ctconv_dialect_count(), ctconv_dialect_name));
  js::set(env, out, "engines", strings(env, ctconv_engine_count(), ctconv_engine_name));
  return out;
}

// No C++ exception crosses into Node.
template <napi_value (*function)(napi_env, const Arguments&)>
napi_value guarded(napi_env env, napi_callback_info information) {
  try {
    std::size_t count = 4;
    Arguments given(count);
    js::ok(napi_get_cb_info(env, information, &count, given.data(), nullptr, nullptr));
    return function(env, given);
  } catch (const ctconv::error& e) {
    napi_throw(env, js::error(env, e.record()));
  } catch (const js::Pending&) {
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
      napi_throw_type_error(env, nullptr, "ctconv: a value of another type is wanted");
  } catch (const std::exception& e) {
    napi_throw(env, js::error(env, std::string(e.what())));
  }
  return nullptr;
}

template <napi_value (*function)(napi_env, const Arguments&)>
napi_property_descriptor named(const char* name) {
  return {name, nullptr, guarded<function>, nullptr, nullptr, nullptr, napi_enumerable, nullptr};
}

}  // namespace

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  const napi_property_descriptor all[] = {
      named<info>("info"),
      named<make_desc>("makeDesc"),
      named<validate>("validate"),
      named<weight_spec>("weightSpec"),
      named<init>("init"),
      named<make_op>("makeOp"),
      named<output_spec>("outputSpec"),
      named<describe>("describe"),
      named<execute<kForward, forward>>("execute"),
      named<execute<kBackward, backward>>("backward"),
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}
