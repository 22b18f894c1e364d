# SPDX-License-Identifier: MIT
#
# Whether tests are built. On by default; they need cmocka. Asked for by name and not possible: an error. On by default
# only and not possible: a warning, so that a first `cmake -B build` gives a library on a machine without cmocka.
if(NOT DEFINED FERRY_TESTS AND NOT PROJECT_IS_TOP_LEVEL)
  set(FERRY_TESTS OFF)
endif()
if(NOT DEFINED FERRY_TESTS)
  find_package(cmocka CONFIG QUIET)
  if(NOT cmocka_FOUND)
    message(WARNING "no tests are built: cmocka was not found (Debian: libcmocka-dev). -DFERRY_TESTS=OFF silences this.")
    set(FERRY_TESTS OFF)
  endif()
endif()
option(FERRY_TESTS "Build the tests (needs cmocka)" ON)
