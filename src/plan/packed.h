// SPDX-License-Identifier: Apache-2.0
// Packed weights of one op, shared by its plans that lie alike.
//
//   in:  a key "<engine>/<packing>";   out: the one buffer under that key, in host or in device memory
//   No lock is held while memory is allocated, packed or released: threads that race may pack twice, one copy stays.
//   Refuses: nothing.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/base/guarded.h"
#include "src/base/memory.h"

namespace ctconv {

template <class Memory>
class SharedPacking {
 public:
  std::shared_ptr<Memory> find(const std::string& key) const {
    const auto items = items_.lock();
    for (const auto& [known, weak] : *items) {
      if (known == key) return weak.lock();
    }
    return nullptr;
  }

  // The buffer now under that key: `buffer`, or the one another thread was faster with.
  std::shared_ptr<Memory> insert(const std::string& key, std::shared_ptr<Memory> buffer) {
    const auto items = items_.lock();
    for (auto& [known, weak] : *items) {
      if (known != key) continue;
      if (auto live = weak.lock()) return live;
      weak = buffer;
      return buffer;
    }
    std::erase_if(*items, [](const auto& item) { return item.second.expired(); });  // keys of plans long gone
    items->emplace_back(key, buffer);
    return buffer;
  }

  // Keys held, for tests.
  size_t keys() const { return items_.lock()->size(); }

 private:
  Guarded<std::vector<std::pair<std::string, std::weak_ptr<Memory>>>> items_;
};

using PackedStore = SharedPacking<const Buffer>;

}  // namespace ctconv
