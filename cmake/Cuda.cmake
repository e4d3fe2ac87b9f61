# SPDX-License-Identifier: Apache-2.0
# Decides whether the CUDA module is built; sets CTCONV_CUDA_AVAILABLE. libctconv.so itself never links CUDA.
# AUTO needs nvcc, the toolkit and the cuDNN headers: find_package(CUDAToolkit) alone succeeds without a compiler.
set(CTCONV_CUDA_AVAILABLE OFF)
set(CTCONV_CUDA_ARCHITECTURES "80;86;89;90;100"
  CACHE STRING "Compute capabilities of the CUDA module; the last one also as PTX for newer devices")
if(NOT CTCONV_CUDA STREQUAL "OFF" AND EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/CMakeLists.txt")
  include(CheckLanguage)
  # The list for the compiler: machine code for each, PTX for the last.
  set(ctconv_architectures ${CTCONV_CUDA_ARCHITECTURES})
  list(POP_BACK ctconv_architectures ctconv_newest)
  list(TRANSFORM ctconv_architectures APPEND "-real")
  list(APPEND ctconv_architectures "${ctconv_newest}")
  check_language(CUDA)
  find_package(CUDAToolkit QUIET)
  find_package(cuDNN 9.8 QUIET)
  if(CMAKE_CUDA_COMPILER AND CUDAToolkit_FOUND AND cuDNN_FOUND)
    set(CMAKE_CUDA_ARCHITECTURES "${ctconv_architectures}")
    enable_language(CUDA)
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake before 3.26 knows no C++20 of nvcc 12 and later
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CTCONV_CUDA_AVAILABLE ON)
    message(STATUS "ctconv: CUDA module with toolkit ${CUDAToolkit_VERSION}, cuDNN headers ${cuDNN_VERSION}, "
      "sm ${CTCONV_CUDA_ARCHITECTURES} and PTX ${ctconv_newest}")
  elseif(CTCONV_CUDA STREQUAL "ON")
    message(FATAL_ERROR "CTCONV_CUDA=ON, but missing: nvcc '${CMAKE_CUDA_COMPILER}', "
      "toolkit found ${CUDAToolkit_FOUND}, cuDNN headers (9.8 or later) found ${cuDNN_FOUND}")
  else()
    message(STATUS "ctconv: no CUDA module (nvcc '${CMAKE_CUDA_COMPILER}', toolkit found ${CUDAToolkit_FOUND}, "
      "cuDNN headers found ${cuDNN_FOUND})")
  endif()
endif()
