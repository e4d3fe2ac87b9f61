# SPDX-License-Identifier: Apache-2.0
# The linker's version script, from the table of symbols and the release each appeared in.
#
#   in:  a table of lines "symbol release" (capi/symbols.txt) and the ABI number
#   out: one version node a release, each built on the one before. The oldest release's node is CTCONV_<abi>,
#        every later one's CTCONV_<release>. So a program linked with a newer library than the one it finds is
#        refused when it starts, not at its first call.
#   refuses: a line of another form
# Also a script: cmake -DTABLE=... -DABI=... -DOUT=... -P VersionScript.cmake
function(ctconv_version_script table abi out)
  file(STRINGS "${table}" lines)
  set(releases "")
  foreach(line ${lines})
    if(NOT line MATCHES "^(ctconv_[a-z0-9_]+) ([0-9]+\\.[0-9]+)$")
      message(FATAL_ERROR "${table}: not \"symbol release\": ${line}")
    endif()
    list(APPEND releases "${CMAKE_MATCH_2}")
    string(APPEND globals_${CMAKE_MATCH_2} "    ${CMAKE_MATCH_1};\n")
  endforeach()
  list(REMOVE_DUPLICATES releases)
  list(SORT releases COMPARE NATURAL)
  set(text "")
  set(before "")
  set(node "CTCONV_${abi}")
  set(locals "  local:\n    *;\n")
  foreach(release ${releases})
    if(before)
      set(node "CTCONV_${release}")
    endif()
    string(APPEND text "${node} {\n  global:\n${globals_${release}}${locals}}${before};\n")
    set(before " ${node}")
    set(locals "")
  endforeach()
  file(CONFIGURE OUTPUT "${out}" CONTENT "${text}" @ONLY)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  ctconv_version_script("${TABLE}" "${ABI}" "${OUT}")
endif()
