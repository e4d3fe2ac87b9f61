# SPDX-License-Identifier: Apache-2.0
# NOT TESTED: written from vcpkg's documentation; vcpkg could not be had where it was written.
#   An overlay port on the tree it lies in: vcpkg install ctconv --overlay-ports=packaging/vcpkg/ports
#   The library is a shared one whatever the triplet says: its symbols are versioned.
vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)
vcpkg_check_features(OUT_FEATURE_OPTIONS options FEATURES tools CTCONV_BUILD_TOOLS)
set(onednn OFF)
if("onednn" IN_LIST FEATURES)
  set(onednn ON)
endif()
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS ${options} -DCTCONV_ONEDNN=${onednn} -DCTCONV_CUDA=OFF
  -DCTCONV_BUILD_TESTS=OFF -DCTCONV_BUILD_BENCH=OFF -DCTCONV_ORT=OFF -DCTCONV_XLA=OFF -DCTCONV_WERROR=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/ctconv)
vcpkg_fixup_pkgconfig()
if("tools" IN_LIST FEATURES)
  vcpkg_copy_tools(TOOL_NAMES ctconv AUTO_CLEAN)
endif()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE" "${SOURCE_PATH}/NOTICE")
