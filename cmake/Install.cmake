# SPDX-License-Identifier: Apache-2.0
# Installed tree: headers, libctconv.so, the CMake package ctconv::ctconv, ctconv.pc, licence and notices.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS ctconv EXPORT ctconv-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ctconv DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT ctconv-targets NAMESPACE ctconv:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ctconv)
configure_package_config_file(cmake/ctconv-config.cmake.in ctconv-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ctconv)
write_basic_package_version_file(ctconv-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/ctconv-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/ctconv-config-version.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ctconv)
# The prefix is found from the .pc file's own place, so that `cmake --install --prefix` and moved trees work.
file(RELATIVE_PATH CTCONV_PC_TO_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/ctconv.pc.in ctconv.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/ctconv.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR}) # share/doc/ctconv
