# SPDX-License-Identifier: Apache-2.0
# cuDNN's headers (and, where it lies beside them, the library: only tests use it, the module opens cuDNN at run time).
#   in:  CUDNN_ROOT or cuDNN_ROOT, the CUDA toolkit, the system, the nvidia-cudnn wheel of the Python on PATH,
#        in this order
#   out: cuDNN_FOUND, cuDNN_VERSION, cuDNN_INCLUDE_DIR, cuDNN_LIBRARY (may be unset), target cuDNN::headers
set(cuDNN_HINTS ${CUDNN_ROOT} $ENV{CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS})
find_path(cuDNN_INCLUDE_DIR cudnn_graph.h HINTS ${cuDNN_HINTS} PATH_SUFFIXES include)
if(NOT cuDNN_INCLUDE_DIR)
  find_package(Python3 COMPONENTS Interpreter QUIET)
  if(Python3_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python3_EXECUTABLE}" -c "import nvidia.cudnn as c; print(list(c.__path__)[0])"
      OUTPUT_VARIABLE cuDNN_wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(cuDNN_wheel)
      find_path(cuDNN_INCLUDE_DIR cudnn_graph.h HINTS "${cuDNN_wheel}" PATH_SUFFIXES include NO_DEFAULT_PATH)
    endif()
  endif()
endif()

if(cuDNN_INCLUDE_DIR AND EXISTS "${cuDNN_INCLUDE_DIR}/cudnn_version.h")
  file(STRINGS "${cuDNN_INCLUDE_DIR}/cudnn_version.h" cuDNN_lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
  foreach(part MAJOR MINOR PATCHLEVEL)
    string(REGEX MATCH "CUDNN_${part} ([0-9]+)" ignored "${cuDNN_lines}")
    set(cuDNN_VERSION_${part} "${CMAKE_MATCH_1}")
  endforeach()
  set(cuDNN_VERSION "${cuDNN_VERSION_MAJOR}.${cuDNN_VERSION_MINOR}.${cuDNN_VERSION_PATCHLEVEL}")
  find_library(cuDNN_LIBRARY NAMES libcudnn.so.${cuDNN_VERSION_MAJOR} cudnn
    HINTS "${cuDNN_INCLUDE_DIR}/.." ${CUDNN_ROOT} $ENV{CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(cuDNN REQUIRED_VARS cuDNN_INCLUDE_DIR VERSION_VAR cuDNN_VERSION)
mark_as_advanced(cuDNN_INCLUDE_DIR cuDNN_LIBRARY)
if(cuDNN_FOUND AND NOT TARGET cuDNN::headers)
  add_library(cuDNN::headers INTERFACE IMPORTED)
  set_target_properties(cuDNN::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${cuDNN_INCLUDE_DIR}")
endif()
