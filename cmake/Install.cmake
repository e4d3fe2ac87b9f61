# SPDX-License-Identifier: Apache-2.0
# Installed tree: headers, libctconv.so, the CMake package ctconv::ctconv, ctconv.pc, ctconv(3), licence and notices.
# tools/CMakeLists.txt adds the program with its manual page and completions. Target `uninstall` takes back what the
# last `cmake --install` of this build folder wrote.
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
# Not in a distribution's /usr: pkg-config would print folders that every compiler searches, in a form it does not know.
file(RELATIVE_PATH CTCONV_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(PREPEND CTCONV_PC_PREFIX "\${pcfiledir}/")
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(CTCONV_PC_PREFIX "/usr")
endif()
configure_file(cmake/ctconv.pc.in ctconv.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/ctconv.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR}) # share/doc/ctconv

# The manual of the functions is written from the headers, wherever there is a Python.
if(PROJECT_IS_TOP_LEVEL)
  find_package(Python3 3.9 COMPONENTS Interpreter QUIET)
endif()
if(PROJECT_IS_TOP_LEVEL AND Python3_Interpreter_FOUND)
  set(ctconv_manual "${CMAKE_CURRENT_BINARY_DIR}/man/man3")
  file(GLOB ctconv_headers CONFIGURE_DEPENDS include/ctconv/*.h)
  add_custom_command(OUTPUT "${ctconv_manual}/ctconv.3"
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/tools/gen_man.py" "${ctconv_manual}"
    DEPENDS tools/gen_man.py capi/symbols.txt CMakeLists.txt ${ctconv_headers} VERBATIM)
  add_custom_target(ctconv_manual DEPENDS "${ctconv_manual}/ctconv.3")
  add_dependencies(ctconv ctconv_manual)
  install(DIRECTORY "${ctconv_manual}" DESTINATION ${CMAKE_INSTALL_MANDIR})
elseif(PROJECT_IS_TOP_LEVEL)
  message(STATUS "ctconv: no Python 3.9, so no manual page ctconv(3)")
endif()

if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(uninstall
    COMMAND "${CMAKE_COMMAND}" -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/Uninstall.cmake"
    WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}" VERBATIM)
endif()
