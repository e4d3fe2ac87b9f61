# SPDX-License-Identifier: Apache-2.0
# libctconv.so: exactly the symbols of capi/symbols.txt, everything else hidden, every reference resolved at link time.
include(VersionScript)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/capi/symbols.txt")
set(version_script "${CMAKE_CURRENT_BINARY_DIR}/ctconv.version")
ctconv_version_script("${CMAKE_CURRENT_SOURCE_DIR}/capi/symbols.txt" ${CTCONV_ABI} "${version_script}")

add_library(ctconv SHARED ${CTCONV_OBJECTS})
add_library(ctconv::ctconv ALIAS ctconv)
target_include_directories(ctconv
  PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_link_libraries(ctconv PRIVATE $<BUILD_INTERFACE:ctconv_flags> $<BUILD_INTERFACE:ctconv_dependencies>)
if(TARGET ctconv_onednn_dependency)
  target_link_libraries(ctconv PRIVATE $<BUILD_INTERFACE:ctconv_onednn_dependency>)
endif()
set_target_properties(ctconv PROPERTIES VERSION ${CTCONV_ABI}.${PROJECT_VERSION} SOVERSION ${CTCONV_ABI}
  LINK_DEPENDS "${version_script}")
target_link_options(ctconv PRIVATE "-Wl,--version-script=${version_script}" -Wl,--exclude-libs,ALL -Wl,--gc-sections)
if(NOT CTCONV_SANITIZE)
  target_link_options(ctconv PRIVATE -Wl,-z,defs)
endif()
