// SPDX-License-Identifier: Apache-2.0
// The reference computes all gradients once, and their magnitudes; every call of an engine is set against those.
#include "tools/cli/verify_backward.h"

#include <fmt/format.h>

#include "tools/cli/compare.h"
#include "tools/cli/gradients.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/table.h"
#include "tools/cli/verdict.h"

namespace cli {
namespace {

// One of dx, dw, db: what was written, what should be, how large its products are.
struct Part {
  const char* name;
  const char* plan;  // whose lines of describe speak of it
  const std::optional<Array>*written, *reference, *magnitude;
};

class Verification {
 public:
  Verification(const Request& request, Progress* progress)
      : request_(request), progress_(progress), layer_(request, Layer::kAnyData) {
    progress_->step("reference");
    const ctconv::Op op = layer_.op("reference");
    gradients_.emplace(layer_, op);
    reference_ = gradients_->allocate(Wanted::kAll);
    gradients_->run(op, &reference_);
    progress_->step("reference on magnitudes");
    magnitude_ = gradients_->magnitude();
  }

  void add(const std::string& engine, Wanted wanted) {
    progress_->step(engine + " " + name_of(wanted));
    try {
      const ctconv::Op op = layer_.op(engine, request_.reproducible);
      const Facts facts = gradients_->describe(op, wanted);
      Written written = gradients_->allocate(wanted);
      gradients_->run(op, &written);
      for (const Part& part : parts_of(written)) {
        if (*part.written) add_row(engine, part, facts);
      }
    } catch (const ctconv::error& e) {
      if (e.status() == CTCONV_ERR_MISUSE_ENGINE) return;  // an engine of other devices
      if (!is_refusal(e)) throw;
      add_cells(engine, name_of(wanted), Verdict::refused(reason_of(e)));
      rows_.push_back({{"engine", engine}, {"gradient", name_of(wanted)}, {"refused", json_of(e)}});
    }
  }

  int answer() const {
    if (request_.json) {
      print_json({{"dialect", request_.dialect},
                  {"x", layer_.x_shape},
                  {"y", gradients_->y().shape()},
                  {"gradients", rows_},
                  {"ok", ok_}});
    } else {
      print("{} <- {} {}\n\n{}", text_of(layer_.x_shape), text_of(gradients_->y().shape()),
            name_of(gradients_->y().dtype()), table_.text());
    }
    return ok_ ? 0 : 1;
  }

 private:
  std::array<Part, 3> parts_of(const Written& written) const {
    return {{{"dx", "dx", &written.dx, &reference_.dx, &magnitude_.dx},
             {"dw", "dw", &written.dw, &reference_.dw, &magnitude_.dw},
             {"db", "dw", &written.db, &reference_.db, &magnitude_.db}}};
  }

  // Products of one element; a bias gradient adds the elements of y that belong to its channel.
  double terms_of(const Part& part, const Facts& facts) const {
    const Array& sums = **part.reference;
    if (sums.elements() == 0) return 0;
    const bool bias = part.reference == &reference_.db;
    const double terms =
        bias ? static_cast<double>(gradients_->y().elements()) : facts.number(std::string(part.plan) + ".flop") / 2;
    return terms / static_cast<double>(sums.elements());
  }

  void add_row(const std::string& engine, const Part& part, const Facts& facts) {
    const Difference difference = compare(**part.written, **part.reference, &**part.magnitude, terms_of(part, facts));
    const std::string plan = part.plan;
    std::string form = facts.get(plan + ".form");
    if (engine == "auto") form = facts.get(plan + ".engine") + ": " + form;
    const Verdict verdict(difference, facts.get(plan + ".bits"), form);
    ok_ = ok_ && verdict.ok();
    add_cells(engine, part.name, verdict.cells());
    rows_.push_back({{"engine", engine}, {"gradient", part.name}});
    verdict.write(&rows_.back());
  }

  void add_cells(const std::string& engine, const std::string& gradient, std::vector<std::string> cells) {
    cells.insert(cells.begin(), {engine, gradient});
    table_.add(cells);
  }

  static Table empty_table() {
    auto heads = Verdict::heads();
    heads.insert(heads.begin(), {"engine", "gradient"});
    return Table(heads);
  }

  const Request& request_;
  Progress* progress_;
  Layer layer_;
  std::optional<Gradients> gradients_;
  Written reference_, magnitude_;
  Table table_ = empty_table();
  Json rows_ = Json::array();
  bool ok_ = true;
};

}  // namespace

int verify_backward(const Request& request) {
  Progress progress("verify");
  Verification verification(request, &progress);
  verification.add("auto", Wanted::kAll);
  for (const std::string& name : engine_names()) {
    if (name == "reference") continue;
    verification.add(name, Wanted::kDx);
    verification.add(name, Wanted::kDw);
  }
  progress.clear();
  return verification.answer();
}

}  // namespace cli
