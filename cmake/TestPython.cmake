# SPDX-License-Identifier: Apache-2.0
# CTCONV_PYTHON: an interpreter with numpy and pytest for the tests of the Python binding and of bench/. The first that
# has both of: the one CMake finds, the system's own (tools/deps installs both for it).
# Empty, with a warning, where none has: those tests are then left out.
find_package(Python3 3.9 COMPONENTS Interpreter QUIET)
if(NOT CTCONV_PYTHON)
  foreach(candidate "${Python3_EXECUTABLE}" /usr/bin/python3)
    if(candidate AND NOT CTCONV_PYTHON)
      execute_process(COMMAND "${candidate}" -c "import numpy, pytest" RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
      if(missing EQUAL 0)
        set(CTCONV_PYTHON "${candidate}" CACHE FILEPATH "Interpreter with numpy and pytest for the Python tests" FORCE)
      endif()
    endif()
  endforeach()
endif()
if(NOT CTCONV_PYTHON)
  message(WARNING "ctconv: no Python tests: neither '${Python3_EXECUTABLE}' nor /usr/bin/python3 has numpy and pytest "
    "(set CTCONV_PYTHON)")
endif()
