# SPDX-License-Identifier: MIT
#
# How a test is made. All tests get one environment, a time limit and a label: quick (the default), big or stress.
#
#   ferry_test(NAME source... [LABEL label] [TIMEOUT seconds])
#       A program of tests/harness: each case that `NAME --list` prints becomes the test NAME.case, run by `NAME case`.
#       It links the static library and may include from src/.
#   ferry_cases(NAME LABEL label TIMEOUT seconds)
#       The same for a program that is made in another way: its cases become tests.
#   ferry_script_test(NAME COMMAND command arg... [LABEL label] [TIMEOUT seconds])
#       A command that passes by exiting 0. $FERRY_BUILD is the build directory; $FERRY_LAUNCHER goes before the
#       programs of ferry that it runs (it holds valgrind and its options, or nothing).

set(FERRY_TEST_ENVIRONMENT
  CMOCKA_TEST_ABORT=1
  FERRY_BUILD=${PROJECT_BINARY_DIR}
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
  UBSAN_OPTIONS=print_stacktrace=1
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
set(FERRY_TEST_LAUNCHER "")
set(FERRY_TEST_FAILS_IF "")
set(FERRY_TEST_TIMEOUT 300)

if(FERRY_VALGRIND)
  find_program(VALGRIND valgrind REQUIRED)
  set(FERRY_TEST_LAUNCHER ${VALGRIND} -q --error-exitcode=99 --leak-check=full --track-fds=yes
    --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible --child-silent-after-fork=yes)
  set(slow 20)
  set(FERRY_TEST_TIMEOUT 1800)
  # valgrind 3.19 tells of descriptors left open, but does not count them as errors; inherited ones have no stack.
  set(FERRY_TEST_FAILS_IF "Open [^\n]+\n==[0-9]+== +at 0x")
elseif(FERRY_SANITIZE)
  set(slow 4)
  set(FERRY_TEST_TIMEOUT 900)
endif()
if(DEFINED slow)
  # How many times slower than usual: tests make their sizes smaller by it.
  list(APPEND FERRY_TEST_ENVIRONMENT FERRY_TEST_SLOW=${slow})
endif()

function(ferry_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "")
  ferry_test_defaults()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ferry_harness ferry::static cmocka::cmocka)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  ferry_cases(${name} LABEL ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

function(ferry_cases name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "")
  set(cases ${CMAKE_CURRENT_BINARY_DIR}/${name}_cases.cmake)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/cases.cmake.in ${cases} @ONLY)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${cases})
endfunction()

function(ferry_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND")
  ferry_test_defaults()
  list(JOIN FERRY_TEST_LAUNCHER " " launcher)
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES
    LABELS ${arg_LABEL}
    TIMEOUT ${arg_TIMEOUT}
    FAIL_REGULAR_EXPRESSION "${FERRY_TEST_FAILS_IF}"
    ENVIRONMENT "${FERRY_TEST_ENVIRONMENT};FERRY_LAUNCHER=${launcher}")
endfunction()

macro(ferry_test_defaults)
  if(NOT arg_LABEL)
    set(arg_LABEL quick)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${FERRY_TEST_TIMEOUT})
  endif()
endmacro()
