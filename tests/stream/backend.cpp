// SPDX-License-Identifier: Apache-2.0
// See backend.h.
#include "tests/stream/backend.h"

#include <stdexcept>

#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

namespace ctconv::test {
namespace {

class FakePiece final : public FixedCall {
 public:
  FakePiece(Script* script, size_t workspace) : script_(script), workspace_(workspace) {}
  size_t workspace_bytes() const override { return workspace_; }
  Status run(void*, void*, void*) const override {
    return ++script_->runs == script_->run_fails_at ? Status(Code::MISUSE_RUNNER, "told to fail") : Status();
  }

 private:
  Script* const script_;
  const size_t workspace_;
};

Descriptor described(const Line& line) {
  std::string_view version;
  const Dialect* dialect = find_dialect("ctconv", &version);
  Arguments args;
  const std::pair<const char*, int64_t> entries[] = {
      {"in_channels", line.ci}, {"out_channels", line.co}, {"kernel_size", line.k}, {"stride", line.s},
      {"dilation", line.d},     {"pad_begin", line.lo},    {"pad_end", line.hi}};
  for (const auto& [name, value] : entries) args.set(name, int_value(value));
  auto desc = interpret(*dialect, args, version);
  if (!desc.ok()) throw std::runtime_error(desc.status().detail().message);
  return std::move(*desc);
}

}  // namespace

FakeBackend::FakeBackend(Options options, Script* script) : Backend(std::move(options)), script_(script) {}

Status FakeBackend::adopt(const TensorView* weight, const TensorView* bias) {
  if (weight != nullptr) weight_ = *weight;
  if (bias != nullptr) bias_ = *bias;
  return {};
}

Result<std::unique_ptr<FixedCall>> FakeBackend::fix(const Problem& problem, bool alone) {
  if (script_->fix_fails_at < 0) return Backend::fix(problem, alone);
  if (++script_->fixed == script_->fix_fails_at) return Status(Code::NO_MEMORY, "told to fail");
  const size_t bytes = script_->made ? script_->workspace_of_later : script_->workspace;
  return std::unique_ptr<FixedCall>(new FakePiece(script_, bytes));
}

TensorView view(std::vector<float>* data, int64_t n, int64_t channels, int64_t positions) {
  TensorView t;
  t.type = element_type(Dtype::kF32);
  t.ndim = 3;
  t.shape = {n, channels, positions};
  t.strides = {channels * positions, positions, 1};
  data->resize(static_cast<size_t>(n * channels * positions));
  t.data = data->data();
  return t;
}

Setup::Setup(const Line& line, Options options)
    : backend(std::move(options), &script),
      desc(described(line)),
      weight_view(view(&weight, line.ci, line.co, line.k)) {
  (void)backend.adopt(&weight_view, nullptr);
  request = {.desc = &desc, .backend = &backend};
}

Result<std::unique_ptr<Stream>> Setup::stream() {
  auto made = plan();
  if (!made.ok()) return made.take_status();
  auto stream = Stream::make(std::move(*made));
  script.made = true;
  return stream;
}

}  // namespace ctconv::test
