# Every command a contributor types; `make help` is the index. Sources are found by pattern, so
# adding a file edits no list here. Each mode (release, asan, tsan, clang, fuzz) has its own folder
# under build/, and nothing is written elsewhere.

VERSION := 0.1.0

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

PREFIX ?= /usr/local
INSTALLED = $(DESTDIR)$(PREFIX)/bin/rowlock
JOBS ?= $(shell nproc)
SEEDS ?= 10000
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
CLANGXX ?= clang++
CCACHE ?= $(shell command -v ccache)
# Objects know no folder but `.`: those of one clone serve another.
export CCACHE_NOHASHDIR := true

# ---- Sources -------------------------------------------------------------------------------------

sources_in = $(sort $(foreach folder,$(1),$(shell find $(folder) -name '*.cpp' 2>/dev/null)))

SQL := $(sort $(shell find schema migrations -name '*.sql'))
# A program of its own, carried inside the others.
LAUNCHER := controller/launcher/launch.cpp
# Of the binary alone: its command line, and what it does to its memory.
BINARY := controller/main.cpp controller/wiping_free.cpp
CORE := $(filter-out $(BINARY) $(LAUNCHER),$(call sources_in,controller reconcilers))
PLAIN := $(sort $(wildcard tests/plain/*_main.cpp))
BENCH := $(call sources_in,tests/bench)
APPS := $(sort $(wildcard tests/apps/*.cpp))
FUZZ_MAIN := tests/fuzz/fuzz_main.cpp
TESTS := $(filter-out tests/plain/% tests/bench/% tests/apps/% $(FUZZ_MAIN),\
  $(call sources_in,tests))
# Each is a program for libFuzzer; and all are in build/release/tests, which runs their seeds.
TARGETS := $(sort $(wildcard tests/fuzz/*_target.cpp))
FUZZERS := $(TARGETS:tests/fuzz/%_target.cpp=build/fuzz/%)
FUZZ_PARTS := tests/fuzz/first_line.cpp tests/fuzz/archives.cpp
# What the bench and the plain runners share with the tests: fakes and fixtures hold no test of
# their own.
FAKES := $(filter tests/fakes/%,$(TESTS))
PROGRAMS := build/release/rowlock build/release/tests build/release/bench \
            $(PLAIN:tests/plain/%.cpp=build/release/%) $(APPS:tests/%.cpp=build/release/%)
FORMATTED := $(sort $(shell find controller reconcilers tests -name '*.cpp' -o -name '*.h' \
               2>/dev/null))

# ---- Flags ---------------------------------------------------------------------------------------

# Debian keeps every library's headers where the compiler looks by itself and warns of nothing, but
# for those of libpq; for headers elsewhere: make CPPFLAGS='-isystem DIR' LDFLAGS='-L DIR'.
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Werror
COMMON := -std=c++20 -g1 -pthread -isystem /usr/include/postgresql $(WARNINGS)
LIBRARIES := -lsqlite3 -luv -lcurl -lcrypto -lsodium -lmicrohttpd -lpq -larchive -lfmt -lutf8proc \
             -labsl_time -labsl_time_zone -labsl_civil_time -labsl_strings -labsl_base
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
# g++ sees uninitialized members in its own <regex> and <functional> once they are instrumented.
INSTRUMENTED := -O1 -fno-omit-frame-pointer -Wno-maybe-uninitialized

release_CXX := $(CXX)
release_FLAGS := -O2
asan_CXX := $(CXX)
asan_FLAGS := $(INSTRUMENTED) $(SANITIZERS)
tsan_CXX := $(CXX)
tsan_FLAGS := $(INSTRUMENTED) -fsanitize=thread
clang_CXX := $(CLANGXX)
clang_FLAGS := -O1
fuzz_CXX := $(CLANGXX)
fuzz_FLAGS := -O1 -fno-omit-frame-pointer $(SANITIZERS) -fsanitize=fuzzer-no-link

# No library, nothing at run time, and never a sanitizer, in any mode: it runs in any image.
LAUNCHER_FLAGS := -std=c++20 -Os $(WARNINGS) -ffreestanding -fno-builtin -fno-pie -fno-exceptions \
                  -fno-rtti -fno-stack-protector -fno-asynchronous-unwind-tables -static -nostdlib \
                  -s -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,noseparate-code

# Criterion's Test() leaves fields of its own structs to their defaults. Tests are compiled more
# often than they are run, but for what plays whole worlds, many years, or many MiB.
TEST_FLAGS := -Wno-missing-field-initializers
QUICKLY_BUILT := $(TEST_FLAGS) -O0
QUICKLY_RUN := simulator/% fakes/% bench/% adapters/s3/% base/cron_% backup/% conformance/object_% \
               fuzz/%

# A make that was started without -j runs as many jobs as there are cores.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
AGAIN = $(MAKE) --no-print-directory $(PARALLEL)

# Makes these files. What is to be compiled for them is counted first, so that each line says how
# far it is (tools/step); the stamps are made before that, or a rehearsal could not tell what they
# will cause.
made = $(AGAIN) stamps && mkdir -p build && rm -f build/steps && \
  STEPS=$$({ $(AGAIN) --dry-run REHEARSAL=1 $(1) || true; } | grep -c '^tools/step ' || true) \
  $(AGAIN) $(1)

# Not the live suites: those need a real engine. A pattern of Criterion's over suite/test.
OFFLINE := !(live_*)/*

# ---- Commands ------------------------------------------------------------------------------------

.PHONY: help setup build install test soak fuzz check asan tsan clang lint format format-check demo
.PHONY: bench simulate programs compile stamps clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Install the Debian packages that are missing
	@tools/setup

build: ## Build build/release/rowlock
	@tools/setup build
	+@$(call made,build/release/rowlock)

install: build ## Install the stripped binary (PREFIX=/usr/local, DESTDIR=)
	@install -D -s -m 755 build/release/rowlock '$(INSTALLED)'
	@echo "$(INSTALLED): $$(du -h --apparent-size '$(INSTALLED)' | cut -f 1)"

test: ## Run every test (LIVE=0: without a Docker engine; FILTER='suite/test': some)
	@tools/test

soak: ## Run for long what `make test` and `make fuzz` run for a short while (FUZZ_S=3600)
	@ROWLOCK_TEST_SOAK=1 TEST_TIMEOUT_S=14400 tools/test
	+@$(AGAIN) fuzz FUZZ_S=$(or $(FUZZ_S),3600)

fuzz: ## Give each reader of outside bytes to libFuzzer (FUZZ_S=60 seconds each, TARGET=xml: one)
	@tools/setup build
	@tools/setup check
	+@$(call made,$(if $(TARGET),build/fuzz/$(TARGET),$(FUZZERS)))
	@FUZZ_S=$(or $(FUZZ_S),60) TARGET='$(TARGET)' tools/fuzz

check: ## All that must pass before a merge: format, lint, build, test, sanitizers, clang
	@tools/setup
	+@$(AGAIN) format-check
	+@$(AGAIN) lint
	+@$(AGAIN) build
	+@$(AGAIN) test
	+@$(AGAIN) asan
	+@$(AGAIN) tsan
	+@$(AGAIN) clang
	@echo 'check: all clean'

asan: ## Run all but the live tests under AddressSanitizer and UBSan
	+@$(call made,build/asan/rowlock build/asan/tests)
	@ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  ROWLOCK_TEST_BINARY='$(CURDIR)/build/asan/rowlock' \
	  timeout --foreground 1800 build/asan/tests --filter '$(OFFLINE)'

tsan: ## Run the plain runners under ThreadSanitizer, which cannot run Criterion
	+@$(call made,$(PLAIN:tests/plain/%.cpp=build/tsan/%))
	@for runner in $(PLAIN:tests/plain/%.cpp=build/tsan/%); do \
	  echo "tsan: $$runner"; TSAN_OPTIONS=halt_on_error=1 timeout --foreground 600 $$runner; done

clang: ## Compile everything with clang++, free of warnings
	+@$(call made,build/clang/rowlock build/clang/tests)

lint: ## Check the rules of the tree: includes, sizes, comments, SQL, scripts
	@tools/lint
	@tests/lint/run

format: ## Format the C++ sources in place
	@clang-format -i $(FORMATTED)

format-check:
	@$(if $(FORMATTED),clang-format --dry-run -Werror $(FORMATTED))

demo: ## See it work, in two minutes (KEEP=1: leave it running)
	@tools/demo/run

bench: ## Measure against the bare engine and print the ratios (TINY=1: once, none judged)
	@tools/setup build
	@tools/setup test
	+@$(call made,build/release/rowlock build/release/bench $(APPS:tests/%.cpp=build/release/%))
	@[ '$(ONLY)' = backups ] || \
	  ROWLOCK_TEST_BINARY='$(CURDIR)/build/release/rowlock' tools/engine run build/release/bench
	@[ -n '$(filter-out backups,$(ONLY))' ] || tools/bench_backups

simulate: ## Run the simulator over many seeds (SEEDS=10000), or one again (SEED=n)
	@tools/setup build
	+@$(call made,build/release/tests)
	@ROWLOCK_SIMULATOR_SEEDS=$(SEEDS) ROWLOCK_SIMULATOR_SEED=$(SEED) timeout --foreground 7200 \
	  build/release/tests --filter 'simulator$(if $(SEED),,*)/*' --verbose=1

# Every program there is, so that none stops compiling unseen.
programs:
	@tools/setup build
	+@$(call made,$(PROGRAMS))

# For scripts: make compile FILES='build/release/rowlock'.
compile:
	+@$(call made,$(FILES))

clean: ## Remove build/
	@rm -rf build

# ---- Files ---------------------------------------------------------------------------------------

# A stamp holds one line and is touched only when the line changes, so that what depends on it is
# rebuilt just then: when a source comes or goes, or another commit is checked out.
.PHONY: always
always:
again = $(if $(REHEARSAL),,always)
stamp = @mkdir -p $(@D) && printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@

COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null)
build/version.stamp: $(again)
	$(call stamp,$(VERSION)$(if $(COMMIT),+$(COMMIT)))
build/core.stamp: $(again)
	$(call stamp,$(CORE))
build/tests.stamp: $(again)
	$(call stamp,$(TESTS))
build/bench.stamp: $(again)
	$(call stamp,$(BENCH) $(FAKES))
build/sql.stamp: $(again)
	$(call stamp,$(SQL))
stamps: build/version.stamp build/core.stamp build/tests.stamp build/bench.stamp build/sql.stamp

version_define = -DROWLOCK_VERSION='"$(shell cat build/version.stamp)"'

define mode_rules
$(1)_compile = $$(CCACHE) $$($(1)_CXX) $$(CPPFLAGS) -I. $$(COMMON) $$($(1)_FLAGS) $$(CXXFLAGS) \
               -MMD -MP
$(1)_link = $$($(1)_CXX) $$(COMMON) $$($(1)_FLAGS) $$(LDFLAGS) -o $$@

build/$(1)/obj/%.o: %.cpp
	@mkdir -p $$(@D)
	@tools/step '$(1) $$<'
	@$$($(1)_compile) $$(extra_flags) -c $$< -o $$@

build/$(1)/obj/tests/%.o: extra_flags = $$(QUICKLY_BUILT)
$$(QUICKLY_RUN:%=build/$(1)/obj/tests/%.o): extra_flags = $$(TEST_FLAGS)
build/$(1)/obj/controller/base/version.o: build/version.stamp
build/$(1)/obj/controller/base/version.o: extra_flags = $$(version_define)

build/$(1)/gen/embedded.cpp: tools/embed build/sql.stamp $$(SQL)
	@mkdir -p $$(@D)
	@tools/embed $$(SQL) > $$@

build/$(1)/gen/embedded.o: build/$(1)/gen/embedded.cpp
	@$$($(1)_compile) -c $$< -o $$@

build/$(1)/launch: $$(LAUNCHER)
	@mkdir -p $$(@D)
	@$$($(1)_CXX) $$(LAUNCHER_FLAGS) $$< -o $$@

build/$(1)/gen/launcher.cpp: tools/embed_launcher build/$(1)/launch
	@mkdir -p $$(@D)
	@tools/embed_launcher build/$(1)/launch > $$@

build/$(1)/gen/launcher.o: build/$(1)/gen/launcher.cpp
	@$$($(1)_compile) -c $$< -o $$@

build/$(1)/librowlock.a: $$(CORE:%.cpp=build/$(1)/obj/%.o) build/$(1)/gen/embedded.o \
                  build/$(1)/gen/launcher.o build/core.stamp
	@rm -f $$@
	@ar rcs $$@ $$(filter %.o,$$^)

build/$(1)/rowlock: $$(BINARY:%.cpp=build/$(1)/obj/%.o) build/$(1)/librowlock.a
	@$$($(1)_link) $$^ $$(LIBRARIES)
	@echo '$(1) → $$@'

build/$(1)/tests: $$(TESTS:%.cpp=build/$(1)/obj/%.o) build/$(1)/librowlock.a build/tests.stamp
	@$$($(1)_link) $$(filter %.o %.a,$$^) $$(LIBRARIES) -lcriterion
	@echo '$(1) → $$@'

build/$(1)/bench: $$(BENCH:%.cpp=build/$(1)/obj/%.o) $$(FAKES:%.cpp=build/$(1)/obj/%.o) \
                  build/$(1)/librowlock.a build/bench.stamp
	@$$($(1)_link) $$(filter %.o %.a,$$^) $$(LIBRARIES)
	@echo '$(1) → $$@'

# Programs that the live tests run in containers: they bring all that they need.
$$(APPS:tests/apps/%.cpp=build/$(1)/apps/%): build/$(1)/apps/%: build/$(1)/obj/tests/apps/%.o
	@mkdir -p $$(@D)
	@$$($(1)_link) -static $$^
	@echo '$(1) → $$@'

$$(PLAIN:tests/plain/%.cpp=build/$(1)/%): build/$(1)/%: build/$(1)/obj/tests/plain/%.o \
                  $$(FAKES:%.cpp=build/$(1)/obj/%.o) build/$(1)/librowlock.a
	@$$($(1)_link) $$^ $$(LIBRARIES)
	@echo '$(1) → $$@'
endef

# Only the fuzz mode has these. One object for each target gives libFuzzer its entry.
build/fuzz/gen/%_main.o: $(FUZZ_MAIN)
	@mkdir -p $(@D)
	@$(fuzz_compile) -DFUZZ_TARGET=fuzz_$* -c $< -o $@

$(FUZZERS): build/fuzz/%: build/fuzz/gen/%_main.o build/fuzz/obj/tests/fuzz/%_target.o \
                  $(FUZZ_PARTS:%.cpp=build/fuzz/obj/%.o) build/fuzz/librowlock.a
	@$(fuzz_link) -fsanitize=fuzzer $^ $(LIBRARIES)
	@echo 'fuzz → $@'

MODES := release asan tsan clang fuzz
$(foreach mode,$(MODES),$(eval $(call mode_rules,$(mode))))

# Objects stay between builds, and each knows the headers it was made from.
.SECONDARY:
COMPILED := $(BINARY) $(CORE) $(TESTS) $(PLAIN) $(BENCH) $(APPS)
-include $(foreach mode,$(MODES),$(COMPILED:%.cpp=build/$(mode)/obj/%.d) \
           build/$(mode)/gen/embedded.d build/$(mode)/gen/launcher.d)
