# SPDX-License-Identifier: MIT
#
# FERRY_URING: whether the io_uring backend is built. By default it is where liburing is found.
find_package(PkgConfig)
if(PKG_CONFIG_FOUND)
  pkg_check_modules(liburing IMPORTED_TARGET liburing>=2.3)
endif()
option(FERRY_URING "Build the io_uring backend, which needs liburing 2.3" "${liburing_FOUND}")
if(FERRY_URING AND NOT liburing_FOUND)
  message(FATAL_ERROR "FERRY_URING: liburing 2.3 or newer is not there (Debian: liburing-dev)")
endif()
