// SPDX-License-Identifier: Apache-2.0
// A box is a row of contiguous runs: pread and pwrite, run by run.
#include "tools/cli/tiles_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tools/cli/fault.h"
#include "tools/cli/npy.h"

namespace cli {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  throw Fault("FILE", path + ": " + what + ": " + std::strerror(error));
}

void write_all(int descriptor, const std::string& path, const char* from, int64_t bytes, int64_t at) {
  while (bytes > 0) {
    const ssize_t done = pwrite(descriptor, from, static_cast<size_t>(bytes), at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail(path, "cannot write", done < 0 ? errno : ENOSPC);
    from += done;
    at += done;
    bytes -= done;
  }
}

int64_t bytes_in(const Extents& shape, ctconv::Dtype type) {
  return Span{{}, shape}.elements() * static_cast<int64_t>(type.bytes());
}

}  // namespace

TileFile::~TileFile() { close(); }

void TileFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void TileFile::open_input(const std::string& path) {
  path_ = path;
  {
    Input in(path);
    const NpyHead head = read_npy_head(in);
    type_ = head.type;
    shape_ = head.shape;
    fortran_ = head.fortran;
    begin_ = static_cast<int64_t>(in.position());
  }
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) fail(path, "cannot open", errno);
}

void TileFile::create(const std::string& path, ctconv::Dtype type, const Extents& shape) {
  path_ = path;
  type_ = type;
  shape_ = shape;
  const std::string head = npy_head(type, shape);
  begin_ = static_cast<int64_t>(head.size());
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path, "cannot be made", errno);
  try {
    write_all(descriptor_, path, head.data(), begin_, 0);
    const int64_t size = begin_ + bytes_in(shape, type);
    int error = EINTR;
    while (error == EINTR) error = posix_fallocate(descriptor_, 0, size);
    if (error == EOPNOTSUPP || error == EINVAL) error = ftruncate(descriptor_, size) == 0 ? 0 : errno;
    if (error != 0) fail(path, "there is no room for it, and nothing was computed", error);
  } catch (const Fault&) {
    close();
    unlink(path.c_str());
    throw;
  }
}

bool TileFile::reopen(const std::string& path, ctconv::Dtype type, const Extents& shape) {
  path_ = path;
  type_ = type;
  shape_ = shape;
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor_ < 0 && errno == ENOENT) return false;
  if (descriptor_ < 0) fail(path, "cannot open", errno);
  const std::string head = npy_head(type, shape);
  std::string there(head.size(), '\0');
  begin_ = static_cast<int64_t>(head.size());
  struct stat s;
  const bool same = pread(descriptor_, there.data(), there.size(), 0) == static_cast<ssize_t>(there.size()) &&
                    there == head && fstat(descriptor_, &s) == 0 && s.st_size == begin_ + bytes_in(shape, type);
  if (!same) throw Fault("FILE", path + " is not the array that was begun; --fresh begins anew");
  return true;
}

template <class Action>
void TileFile::each_run(Span box, Action&& action) const {
  Extents shape = shape_;
  if (fortran_) {
    for (Extents* list : {&shape, &box.begin, &box.count}) std::reverse(list->begin(), list->end());
  }
  const auto size = static_cast<int64_t>(type_.bytes());
  size_t inner = shape.size();  // from here on the box holds whole axes
  while (inner > 1 && box.count[inner - 1] == shape[inner - 1]) --inner;
  if (inner > 0) --inner;
  Extents strides(shape.size(), size);
  for (size_t a = shape.size(); a-- > 1;) strides[a - 1] = strides[a] * shape[a];
  int64_t run = size;
  for (size_t a = inner; a < shape.size(); ++a) run *= box.count[a];
  Extents at(inner, 0);
  int64_t first = begin_;
  for (size_t a = 0; a < shape.size(); ++a) first += box.begin[a] * strides[a];
  for (int64_t done = 0;; done += run) {
    int64_t offset = first;
    for (size_t a = 0; a < inner; ++a) offset += at[a] * strides[a];
    action(offset, done, run);
    size_t a = inner;
    while (a-- > 0) {
      if (++at[a] < box.count[a]) break;
      at[a] = 0;
    }
    if (a == static_cast<size_t>(-1)) return;
  }
}

void TileFile::read(const Span& box, void* to) const {
  each_run(box, [&](int64_t at, int64_t place, int64_t bytes) {
    char* next = static_cast<char*>(to) + place;
    while (bytes > 0) {
      const ssize_t got = pread(descriptor_, next, static_cast<size_t>(bytes), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(path_, "cannot read", errno);
      if (got == 0) throw Fault("FILE", path_ + ": it was cut short while it was read");
      next += got;
      at += got;
      bytes -= got;
    }
  });
}

void TileFile::write(const Span& box, const void* from) const {
  each_run(box, [&](int64_t at, int64_t place, int64_t bytes) {
    write_all(descriptor_, path_, static_cast<const char*>(from) + place, bytes, at);
  });
}

void TileFile::sync() const {
  if (fdatasync(descriptor_) != 0) fail(path_, "cannot write", errno);
}

uint64_t TileFile::number() const {
  struct stat s {};
  return fstat(descriptor_, &s) == 0 ? static_cast<uint64_t>(s.st_ino) : 0;
}

std::string TileFile::identity() const {
  struct stat s {};
  fstat(descriptor_, &s);
  return std::to_string(s.st_size) + " bytes, changed " + std::to_string(s.st_mtim.tv_sec) + "." +
         std::to_string(s.st_mtim.tv_nsec);
}

}  // namespace cli
