# SPDX-License-Identifier: Apache-2.0
# CTCONV_ONEDNN=FETCH: a oneDNN release built inside our build, for machines that reach the web (about 25 minutes on 2
# cores).
include(FetchContent)
set(ONEDNN_LIBRARY_TYPE STATIC CACHE STRING "")
set(ONEDNN_CPU_RUNTIME THREADPOOL CACHE STRING "")
set(ONEDNN_BUILD_GRAPH OFF CACHE BOOL "")
set(ONEDNN_BUILD_EXAMPLES OFF CACHE BOOL "")
set(ONEDNN_BUILD_TESTS OFF CACHE BOOL "")
set(ONEDNN_ENABLE_WORKLOAD INFERENCE CACHE STRING "")
set(ONEDNN_ENABLE_PRIMITIVE "CONVOLUTION;DECONVOLUTION;MATMUL;REORDER" CACHE STRING "")
FetchContent_Declare(onednn GIT_REPOSITORY https://github.com/uxlfoundation/oneDNN.git GIT_TAG v3.9.1 GIT_SHALLOW ON)
FetchContent_MakeAvailable(onednn)
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl ALIAS dnnl)
endif()
set(DNNL_CPU_RUNTIME THREADPOOL)
