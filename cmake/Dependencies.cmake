# SPDX-License-Identifier: Apache-2.0
# Everything from outside, found by find_package first; tools/deps fills the cache folder that is searched before the
# system.
#   shipped library: Highway, oneDNN (optional), threads      tools: CLI11, nlohmann-json, fmt      tests: Catch2 3
if(DEFINED ENV{CTCONV_DEPS})
  set(ctconv_deps "$ENV{CTCONV_DEPS}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(ctconv_deps "$ENV{XDG_CACHE_HOME}/ctconv/deps-3")
else()
  set(ctconv_deps "$ENV{HOME}/.cache/ctconv/deps-3")
endif()
list(PREPEND CMAKE_PREFIX_PATH "${ctconv_deps}")

add_library(ctconv_dependencies INTERFACE)
find_package(Threads REQUIRED)
# 1.2.0 is the first with all that src/kit names: StoreN and AVX3_SPR came with 1.0.6, InterleaveWholeLower
# with 1.1.0, NEON_BF16 with 1.2.0.
set(CTCONV_HWY_LEAST 1.2.0)
find_package(hwy ${CTCONV_HWY_LEAST} CONFIG QUIET)
if(NOT hwy_FOUND)
  set(found "none was found")
  if(hwy_CONSIDERED_VERSIONS)
    set(found "found: ${hwy_CONSIDERED_VERSIONS} in ${hwy_CONSIDERED_CONFIGS}")
  endif()
  message(FATAL_ERROR "ctconv needs Highway (hwy) ${CTCONV_HWY_LEAST} or later; ${found}.\n"
    "Run ${PROJECT_SOURCE_DIR}/tools/deps once: it builds Highway and oneDNN into ${ctconv_deps}. "
    "Or name another place with -DCMAKE_PREFIX_PATH.")
endif()
get_target_property(hwy_folders hwy::hwy INTERFACE_INCLUDE_DIRECTORIES)
foreach(folder ${hwy_folders})
  if(NOT folder MATCHES "^/usr/include$|<")
    ctconv_hide_path("${folder}")
  endif()
endforeach()
target_link_libraries(ctconv_dependencies INTERFACE hwy::hwy Threads::Threads ${CMAKE_DL_LIBS})

# oneDNN: our sources compile against the headers of 3.0, 3.3, 3.5 and 3.7; the engine has run with 3.7.2 alone. Any CPU
# runtime will do (src/engine/onednn/threads.h); only THREADPOOL, which tools/deps builds, computes on the library's own
# threads.
if(NOT CTCONV_ONEDNN STREQUAL "OFF")
  if(CTCONV_ONEDNN STREQUAL "FETCH")
    include(FetchOneDNN)
  elseif(CTCONV_ONEDNN STREQUAL "ON")
    find_package(dnnl 3.5 CONFIG REQUIRED)
  else()
    find_package(dnnl 3.5 CONFIG QUIET)
  endif()
  if(TARGET DNNL::dnnl)
    add_library(ctconv_onednn_dependency INTERFACE)
    # The static config of an OMP build does not name OpenMP; the shared library would then fail to load.
    get_target_property(dnnl_type DNNL::dnnl TYPE)
    if(DNNL_CPU_RUNTIME STREQUAL "OMP" AND dnnl_type STREQUAL "STATIC_LIBRARY")
      find_package(OpenMP REQUIRED)
      target_link_libraries(ctconv_onednn_dependency INTERFACE OpenMP::OpenMP_CXX)
    endif()
    target_link_libraries(ctconv_onednn_dependency INTERFACE DNNL::dnnl)
    # A shared libdnnl may serve others in the process too: only a copy of our own is told to be silent.
    if(dnnl_type STREQUAL "STATIC_LIBRARY")
      target_compile_definitions(ctconv_onednn_dependency INTERFACE CTCONV_ONEDNN_IS_OURS)
    endif()
    target_compile_definitions(ctconv_onednn_dependency INTERFACE CTCONV_WITH_ONEDNN)
    message(STATUS "ctconv: oneDNN ${dnnl_VERSION} (${DNNL_CPU_RUNTIME} runtime)")
  else()
    message(STATUS "ctconv: oneDNN 3 not found, building without the onednn engine (tools/deps builds it once)")
  endif()
endif()

include(Cuda)
