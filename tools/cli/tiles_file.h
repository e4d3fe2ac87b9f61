// SPDX-License-Identifier: Apache-2.0
// Boxes of arrays in .npy files, read and written by position.
//
//   in:  a path; a box of the array
//   out: the box, dense in memory; boxes in a new file, whose room is reserved before anything is computed
//        Nothing is mapped: a full disk is then a Fault and no signal, a file cut short too.
//   refuses (Fault FILE, NPY_FORMAT): what is no .npy file, what cannot be read or written
#pragma once

#include <cstddef>
#include <string>

#include "tools/cli/tiles_axes.h"

namespace cli {

class TileFile {
 public:
  TileFile() = default;
  ~TileFile();
  TileFile(const TileFile&) = delete;
  TileFile& operator=(const TileFile&) = delete;

  void open_input(const std::string& path);
  void create(const std::string& path, ctconv::Dtype type, const Extents& shape);
  // False where there is no such file; Fault FILE where it is another array.
  bool reopen(const std::string& path, ctconv::Dtype type, const Extents& shape);
  void close();

  // In the order of the file: with fortran() the box's first axis is then the fastest.
  void read(const Span& box, void* to) const;
  void write(const Span& box, const void* from) const;
  void sync() const;  // onto the disk

  ctconv::Dtype type() const { return type_; }
  const Extents& shape() const { return shape_; }
  bool fortran() const { return fortran_; }
  int descriptor() const { return descriptor_; }
  uint64_t number() const;       // the system's number of the file, which a rename keeps
  std::string identity() const;  // of the contents, as far as size and time tell

 private:
  template <class Action>
  void each_run(Span box, Action&& action) const;
  std::string path_;
  int descriptor_ = -1;
  ctconv::Dtype type_;
  Extents shape_;
  bool fortran_ = false;
  int64_t begin_ = 0;  // of the elements
};

}  // namespace cli
