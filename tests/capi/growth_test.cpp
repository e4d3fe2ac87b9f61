// SPDX-License-Identifier: Apache-2.0
// Records that grow, seen from inside: a field is planted at the end of each and read from callers of both releases.
//
//   first sizes are pinned, an old caller's missing field is zero and never written, a newer caller's tail must be zero
#include "capi/growth.h"

#include <cstring>
#include <vector>

#include "tests/capi/support.h"

using namespace ctconv;

namespace {

// The same record one release later.
template <class Record>
struct Grown : Record {
  uint64_t appended;
};

template <class Record>
void reads_old_and_new(size_t first) {
  CHECK(sizeof(Record) >= first);
  // Room for the largest size that is tried, so that the compiler sees no read behind an object.
  std::vector<uint64_t> room(kLargestRecord / sizeof(uint64_t) + 1);
  auto& given = *reinterpret_cast<Grown<Record>*>(room.data());
  Grown<Record> read;
  given.appended = 7;
  for (size_t size : {first, sizeof(Record)}) {  // an old caller: what lies behind its record is not read
    given.struct_size = size;
    std::memset(static_cast<void*>(&read), 0x5A, sizeof read);
    REQUIRE(read_record<Grown<Record>>(&given, "record", first, &read).ok());
    CHECK(read.struct_size == size);
    CHECK(read.appended == 0);
  }
  given.struct_size = sizeof given;  // a caller of this release
  REQUIRE(read_record<Grown<Record>>(&given, "record", first, &read).ok());
  CHECK(read.appended == 7);
  Record old;  // the same caller, before a library of the release before
  CHECK(read_record<Record>(&given, "record", first, &old).code() == Code::MISUSE_UNKNOWN_FIELD);
  given.appended = 0;
  CHECK(read_record<Record>(&given, "record", first, &old).ok());
  for (size_t size : {size_t{0}, first - 1, kLargestRecord + 1}) {
    given.struct_size = size;
    CHECK(read_record<Grown<Record>>(&given, "record", first, &read).code() == Code::MISUSE_STRUCT_SIZE);
  }
}

}  // namespace

TEST_CASE("growth: every record is read from callers of an older and a newer release", "[capi][records]") {
  reads_old_and_new<ctconv_runner>(kFirstRunner);
  reads_old_and_new<ctconv_allocator>(kFirstAllocator);
  reads_old_and_new<ctconv_options>(kFirstOptions);
  reads_old_and_new<ctconv_call>(kFirstCall);
  reads_old_and_new<ctconv_argument>(kFirstArgument);
}

TEST_CASE("growth: a field is written only inside the caller's struct_size", "[capi][records]") {
  Grown<ctconv_error> record;
  std::memset(static_cast<void*>(&record), 0x5A, sizeof record);
  const uint64_t untouched = record.appended;
  for (size_t size : {kFirstError, sizeof record - 1}) {
    record.struct_size = size;
    CHECK_FALSE(fits(size, &Grown<ctconv_error>::appended));
    write_field(&record, &Grown<ctconv_error>::appended, 3);
    CHECK(record.appended == untouched);
  }
  record.struct_size = sizeof record;
  write_field(&record, &Grown<ctconv_error>::appended, 3);
  CHECK(record.appended == 3);
  CHECK(end_of(&ctconv_error::message) == kFirstError);
  CHECK(end_of(&ctconv_argument::required) == kFirstArgument);
}
