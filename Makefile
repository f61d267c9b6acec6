# Makefile - a thin front door to CMake and to the program.
#
#   make                       build build/release/heapyard
#   make bench WORKLOAD=churn  compare allocators on a workload
#   make help                  everything else
#
# SPDX-License-Identifier: Apache-2.0

PREFIX ?= /usr/local
BUILD := build/release
HEAPYARD := $(BUILD)/heapyard
JOBS := $(shell nproc 2>/dev/null || echo 2)

# $(call quote,TEXT): one word for the shell, whatever TEXT holds.
quote = '$(subst ','\'',$(1))'
# $(call option,VARIABLE,name): --name VALUE, if the variable has a value.
option = $(if $(value $(1)),--$(2) $(call quote,$(value $(1))))

bench_options = $(strip \
	$(call option,WORKLOAD,workload) \
	$(call option,ALLOCATORS,allocators) \
	$(call option,THREADS,threads) \
	$(call option,RUNS,runs) \
	$(call option,PRECISION,precision) \
	$(call option,BUDGET,budget) \
	$(call option,SEED,seed) \
	$(call option,SCALE,scale) \
	$(call option,METERS,meters) \
	$(call option,TOUCH,touch) \
	$(call option,OUT,out))

configure = cmake --preset release -DHEAPYARD_WERROR=$(or $(HEAPYARD_WERROR),OFF)
build = cmake --build --preset release --parallel $(JOBS)

.PHONY: all quiet-build bench gate report test install deb clean help
.NOTPARALLEL:

all:
	@$(configure)
	@$(build)

# For commands whose output is their own: the build speaks only if it fails.
quiet-build:
	@mkdir -p $(BUILD)
	@{ $(configure) && $(build); } > $(BUILD)/build.log 2>&1 || \
		{ cat $(BUILD)/build.log; echo "make: the build failed"; exit 1; }

bench: quiet-build
	@$(HEAPYARD) bench $(bench_options)

# REF: the commit to compare with; or CANDIDATE and BASELINE: two libraries.
gate: quiet-build
	@ci/gate

# IN: a folder that bench made; by default the newest.
report: quiet-build
	@in=$(call quote,$(value IN)); \
	if [ -z "$$in" ]; then in=$$(ls -dt results/out/*/ 2>/dev/null | head -n 1); fi; \
	if [ -z "$$in" ]; then \
		echo "make report: results/out is empty (make bench first, or IN=FOLDER)"; \
		exit 2; \
	fi; \
	$(HEAPYARD) report --charts "$${in%/}/charts" "$${in%/}"

test: quiet-build
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error \
		--parallel $(JOBS)

install: quiet-build
	@cmake --install $(BUILD) --prefix $(call quote,$(value PREFIX))

deb: quiet-build
	@cd $(BUILD) && cpack -G DEB -B ..

# Results stay: results/out is yours.
clean:
	rm -rf build

help:
	@echo 'make                 build build/release/heapyard'
	@echo 'make bench           compare allocators; may be given:'
	@echo '    WORKLOAD=churn ALLOCATORS=system,jemalloc THREADS=1,2 RUNS=10'
	@echo '    SEED=1 SCALE=0.5 METERS=time,memory TOUCH=page OUT=FOLDER'
	@echo '    PRECISION=1% BUDGET=5m'
	@echo '                     (each is the option of heapyard bench of that name)'
	@echo 'make gate            judge this tree against REF=HEAD~1, or the library'
	@echo '                     CANDIDATE=new.so against BASELINE=old.so; see ci/gate --help'
	@echo 'make report          table and charts of the newest result, or of IN=FOLDER'
	@echo 'make test            all tests'
	@echo 'make install         to PREFIX=/usr/local; DESTDIR is honoured'
	@echo 'make deb             a Debian package, in build/'
	@echo 'make clean           remove build/; results stay'
