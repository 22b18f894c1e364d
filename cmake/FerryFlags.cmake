# SPDX-License-Identifier: MIT
#
# The language, the warnings and the sanitizers of everything built here; nothing of it reaches a user's project.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

# CMake's own choice, -O3, makes the library 8 KiB bigger and nothing faster (docs/performance.md).
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_compile_definitions(_GNU_SOURCE)

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes)
if(FERRY_WERROR)
  add_compile_options(-Werror)
endif()

if(FERRY_SANITIZE)
  add_compile_options(-fsanitize=${FERRY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FERRY_SANITIZE})
else()
  # Hardening, of which tests/meta/hardening.py looks for the traces; docs/security.md. Of CET only the tracking of branches: the
  # shadow stack is not switched with a coroutine's. With sanitizers -z defs cannot hold: clang leaves their run time to the
  # program.
  add_compile_options(-fstack-protector-strong -fstack-clash-protection)
  if(FERRY_PROCESSOR STREQUAL "x86_64")
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-fcf-protection=branch>)
  endif()
  add_link_options(-Wl,-z,relro,-z,now,-z,defs,-z,noexecstack)

  # A distribution that has a level of its own keeps it.
  if(NOT "${CMAKE_C_FLAGS} $ENV{CPPFLAGS}" MATCHES "_FORTIFY_SOURCE")
    add_compile_options("$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  endif()

  # Programs at an address that nobody knows.
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
