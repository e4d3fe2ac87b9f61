# SPDX-License-Identifier: Apache-2.0
# Compile flags every target of ours shares. -ffp-contract=off: a product and a sum are fused where the source says fma
# and nowhere else, so that the reference means the same bits under every compiler.
add_library(ctconv_flags INTERFACE)
target_link_libraries(ctconv_flags INTERFACE ctconv_hardening)
target_compile_options(ctconv_flags
  INTERFACE -Wall -Wextra -ffp-contract=off $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # false alarms on std::string (GCC bug 105651)
  target_compile_options(ctconv_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(CTCONV_WERROR)
  target_compile_options(ctconv_flags INTERFACE -Werror)
endif()
# CTCONV_EVERY_CHECK: the library, and what reads files of strangers. Elsewhere UBSan leaves out four checks that take
# half the time of a build: a null pointer ends a sanitized program all the same.
define_property(TARGET PROPERTY CTCONV_EVERY_CHECK
  BRIEF_DOCS "All of UBSan's checks" FULL_DOCS "All of UBSan's checks, null, alignment, vptr and object-size too")
if(CTCONV_SANITIZE)
  target_compile_options(ctconv_flags INTERFACE -fsanitize=${CTCONV_SANITIZE} -fno-omit-frame-pointer -g1)
  if(CTCONV_SANITIZE MATCHES "undefined")
    set(some $<NOT:$<BOOL:$<TARGET_PROPERTY:CTCONV_EVERY_CHECK>>>)
    target_compile_options(ctconv_flags INTERFACE $<${some}:-fno-sanitize=null,alignment,vptr,object-size>)
    # GCC sees paths between the checks that nothing takes; other builds are asked.
    target_compile_options(ctconv_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  endif()
  # Programs at a fixed address (Hardening.cmake asks for none): the tables of two sanitizers hold millions of pointers,
  # which the loader would mend at each start.
  target_link_options(ctconv_flags
    INTERFACE -fsanitize=${CTCONV_SANITIZE} $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-no-pie>)
endif()
if(CTCONV_COVERAGE)
  target_compile_options(ctconv_flags INTERFACE --coverage -O0)
  target_link_options(ctconv_flags INTERFACE --coverage)
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
