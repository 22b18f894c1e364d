# SPDX-License-Identifier: MIT
#
# The everyday commands, over CMake and its presets. `make demo` and `make test` do all that is needed on a bare Debian
# machine; the other targets too, where they start with deps.
#
#   make           builds build/release: the library, the program, the examples
#   make demo      serves and downloads files in each mode and style, verifies them, and shows how fast it went
#   make test      builds and runs the tests
#   make check     the tests under the sanitizers and valgrind: gcc's over epoll, clang's over io_uring, valgrind over both; one of
#                  them: make check-asan, ... Over io_uring, and under valgrind, those of the library; FULL=1: all
#   make check-uring  the tests of make test over io_uring
#   make check-uml those of the library over both backends on an older kernel, Debian's user-mode-linux
#   make check-model  every state of the models of the outbox, the lock and the loop's sleep, by spin; and every order of the
#                  steps of a few threads, over the code itself
#   make fuzz      libFuzzer, a minute for each target, half of it over each backend; SECONDS=3600 makes it an hour
#   make coverage  which lines and branches of src the tests of make test run, over both backends, and calls made to fail
#   make mutants   breaks the library, a line at a time, and looks whether a test fails each time
#   make check-sim random programs in a simulated machine, a million steps and then a minute; SECONDS=3600 makes it an hour,
#                  FROM=1000000 begins with another seed
#   make check-big downloads of many GiB
#   make check-stress  the relay between clients and targets that do anything; SECONDS=3600 makes it an hour
#   make check-load  a server that is held, stormed, starved, and a soak under AddressSanitizer and valgrind; SECONDS=2400 makes it
#                  ten minutes over each backend
#   make check-faults  each system call made to fail, and faults that nobody may notice under the library's own tests, in two
#                  minutes; FULL=1: all of them
#   make check-network  transfers over bad networks, as root; SECONDS=3600 makes it an hour
#   make bench     speed, beside other libraries and the bare system calls, into docs/benchmarks; about fifteen minutes, on a
#                  calm machine. make bench-quick takes two, and only prints
#   make lint      clang-format, clang-tidy, cppcheck, shellcheck, gcc -fanalyzer;  make format applies the first
#   make install   to PREFIX, below DESTDIR
#   make deps      installs the Debian packages that are missing for any of these (root or sudo)
#   make clean

PREFIX ?= /usr/local
SECONDS ?= 60
FROM ?= 1000
NETEM := delay,300us,200us,25%,loss,0.5%,duplicate,1%,reorder,3%,corrupt,0.1%
PRESETS_CHECKED := asan tsan clang-asan clang-tsan valgrind

.PHONY: all deps demo test check check-uring check-valgrind-uring check-uml check-model fuzz coverage mutants check-big check-stress \
	check-load check-faults check-sim check-network bench bench-quick bench-build lint format install clean $(PRESETS_CHECKED:%=check-%)

all:
	@command -v cmake >/dev/null && command -v ninja >/dev/null || \
		{ echo 'make: cmake or ninja is missing; `make deps` installs what is needed' >&2; exit 1; }
	cmake --preset release -D CMAKE_INSTALL_PREFIX='$(PREFIX)'
	cmake --build --preset release

deps:
	@cmake/deps.sh

demo:
	@cmake/deps.sh build
	@$(MAKE) --no-print-directory all
	tools/demo.sh build/release

test:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset test
	ctest --preset test

check: $(PRESETS_CHECKED:%=check-%) check-valgrind-uring

$(PRESETS_CHECKED:%=check-%): check-%:
	@cmake/deps.sh build test check
	cmake --preset $*
	cmake --build --preset $*
	ctest --preset $* $(if $(FULL),-R .)

check-valgrind-uring:
	@cmake/deps.sh build test check
	cmake --preset valgrind
	cmake --build --preset valgrind
	ctest --preset valgrind-uring $(if $(FULL),-R .)

check-uring:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset test
	ctest --preset uring

check-uml:
	@cmake/deps.sh build test uml
	cmake --preset test
	cmake --build --preset test
	tests/uml/run.sh -R '^(unit|net|co|complaints)_' build/test epoll uring
	tests/uml/run.sh -R '^(net_halfclose|net_files\.ranges|co_recv\.[^i])' -N '$(NETEM)' build/test epoll uring

check-model:
	@cmake/deps.sh build model
	tests/model/run.py
	tests/interleave/run.py

fuzz:
	@cmake/deps.sh build test check
	cmake --preset fuzz
	cmake --build --preset fuzz
	tests/fuzz/run.sh build/fuzz $$(($(SECONDS) / 2)) epoll uring

coverage:
	@cmake/deps.sh build test coverage
	cmake --preset coverage
	cmake --build --preset coverage
	find build/coverage -name '*.gcda' -delete
	ctest --preset coverage
	ctest --preset coverage-uring
	ctest --preset coverage-faults
	cmake/coverage.sh build/coverage

mutants:
	@cmake/deps.sh build test
	tests/mutants/mutants.py build/mutants

# A million steps take some seconds; the rest of the time goes to the seeds from FROM on.
check-sim:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset test --target sim
	build/test/tests/sim/sim --steps 1000000 --all-states
	build/test/tests/sim/sim --from $(FROM) --seconds $(SECONDS)

check-big:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset test
	ctest --preset big

check-stress:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset test
	FERRY_STRESS_SECONDS=$$(($(SECONDS) / 4)) ctest --preset stress

check-load:
	@cmake/deps.sh build test check
	cmake --preset test
	cmake --build --preset test
	ctest --preset load
	cmake --preset asan
	cmake --build --preset asan
	FERRY_LOAD_SECONDS=$$(($(SECONDS) / 4)) ctest --preset load-asan
	cmake --preset valgrind
	cmake --build --preset valgrind
	FERRY_LOAD_SECONDS=$$(($(SECONDS) / 10)) ctest --preset load-valgrind

check-faults:
	@cmake/deps.sh build test
	cmake --preset test
	cmake --build --preset fault
	FERRY_FAULT_SECONDS=$$(($(SECONDS) / 20)) FERRY_FAULT_FULL='$(FULL)' ctest --preset fault

check-network:
	@cmake/deps.sh build test network
	cmake --preset test
	cmake --build --preset test
	FERRY_NETWORK_SECONDS=$$(($(SECONDS) / 8)) ctest --preset network

bench: bench-build
	bench/run.py --out docs/benchmarks build/bench

bench-quick: bench-build
	bench/run.py --quick build/bench

bench-build:
	@cmake/deps.sh build test bench
	cmake --preset bench
	cmake --build --preset bench

lint:
	@cmake/deps.sh build test lint
	cmake --preset clang-dev
	cmake/lint.sh build/clang-dev

format:
	@cmake/deps.sh lint
	find include src tools examples tests bench -name '*.[ch]' -exec clang-format -i {} +

install: all
	DESTDIR='$(DESTDIR)' cmake --install build/release
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" -eq 0 ]; then /sbin/ldconfig; fi

clean:
	rm -rf build
