# SPDX-License-Identifier: Apache-2.0
# Hardening of everything we build, as one interface target: docs/decisions/hardening.md says why each is here.
#   compile: stack protector, FORTIFY 2 where the compiler optimises, shadow stack (x86) or branch protection (AArch64)
#   link:    relocations read only after a full binding at load, no executable stack, code apart from data
#   names:   no path of this machine inside (__FILE__, debug information of a release)
# Left out: under a sanitizer and for coverage the compile options, which would hide or disturb what those look at.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)
if(NOT CTCONV_SANITIZE)
  check_pie_supported(LANGUAGES CXX) # executables are linked with -pie, whatever the compiler's default
endif()
add_library(ctconv_hardening INTERFACE)

if(NOT CTCONV_SANITIZE AND NOT CTCONV_COVERAGE)
  target_compile_options(ctconv_hardening INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fstack-protector-strong>)
  target_compile_options(ctconv_hardening INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fstack-protector-strong>)
  # Without optimisation glibc answers with a warning. A packager's own level stays.
  if(NOT "${CMAKE_CXX_FLAGS} ${CMAKE_C_FLAGS}" MATCHES "_FORTIFY_SOURCE")
    set(optimised "$<CONFIG:Release,RelWithDebInfo,MinSizeRel>")
    set(fortify "$<AND:${optimised},$<COMPILE_LANGUAGE:C,CXX>>")
    target_compile_options(ctconv_hardening INTERFACE "$<${fortify}:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  endif()
  # return, not full: oneDNN's generated code has no endbr64, so the library must not promise indirect branch tracking.
  check_cxx_compiler_flag(-fcf-protection=return CTCONV_HAVE_SHADOW_STACK)
  if(CTCONV_HAVE_SHADOW_STACK)
    target_compile_options(ctconv_hardening INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fcf-protection=return>)
    # Debian 12's crti.o has no note, and one object without it takes it from all: the linker is told.
    target_link_options(ctconv_hardening INTERFACE -Wl,-z,shstk)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    check_cxx_compiler_flag(-mbranch-protection=standard CTCONV_HAVE_BRANCH_PROTECTION)
    if(CTCONV_HAVE_BRANCH_PROTECTION)
      target_compile_options(ctconv_hardening INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-mbranch-protection=standard>)
    endif()
  endif()
endif()
target_link_options(ctconv_hardening INTERFACE -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code)

# ctconv_hide_path(FOLDER): names inside FOLDER appear relative to it in a release.
function(ctconv_hide_path folder)
  set(here "$<AND:$<CONFIG:Release,MinSizeRel>,$<COMPILE_LANGUAGE:C,CXX>>")
  target_compile_options(ctconv_hardening INTERFACE "$<${here}:-ffile-prefix-map=${folder}/=>")
endfunction()
if(NOT CTCONV_COVERAGE)
  ctconv_hide_path("${PROJECT_SOURCE_DIR}")
  ctconv_hide_path("${PROJECT_BINARY_DIR}")
endif()
