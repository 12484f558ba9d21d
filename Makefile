# SPDX-License-Identifier: GPL-2.0-only
# lunatik: build, test, try. `make help` lists the targets.
#
# The module is built either for KDIR, a kernel build tree that can take Rust modules (by default that of
# the running kernel, when it can), or for the provisioned kernels: Debian's own ("stock") and a debug
# kernel, built inside the Debian root that selftests/vm/provision makes below ~/.cache/lunatik.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := module

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lunatik
VM := selftests/vm
RUN := $(VM)/run
JOBS := $(shell nproc)

RUNNING := /lib/modules/$(shell uname -r)/build
KDIR ?= $(if $(wildcard $(RUNNING)/rust/libkernel.rmeta),$(RUNNING))

# Whatever the module is made of, so that a build that has nothing to do costs nothing.
SOURCES := $(shell find src lua/kernel -type f 2>/dev/null) Kbuild Cargo.toml Cargo.lock

.PHONY: module
module: ## build lunatik.ko for KDIR (default: the running kernel if it can take Rust modules, else the provisioned one)
ifneq ($(KDIR),)
	@$(MAKE) --no-print-directory build/host/lunatik.ko
else
	@echo "make: no build tree with Rust metadata for $(shell uname -r); building for the provisioned kernel (KDIR=... chooses another)"
	@$(MAKE) --no-print-directory stock
endif

build/host/lunatik.ko: $(SOURCES)
	@lua/kernel/stage build/lua
	@mkdir -p $(@D)
	$(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(CURDIR)/$(@D) LUNATIK_STAGE=$(CURDIR)/build/lua modules

.PHONY: stock debug
stock: build/stock/lunatik.ko ## build lunatik.ko for Debian's kernel, provisioning what that takes
debug: build/debug/lunatik.ko ## build lunatik.ko for the debug kernel, provisioning what that takes

build/stock/lunatik.ko build/debug/lunatik.ko: build/%/lunatik.ko: $(SOURCES) | provision-%
	@echo "== lunatik.ko for the $* kernel"
	@lua/kernel/stage build/lua
	@mkdir -p $(@D)
	@. $(CACHE)/$*.env && $(VM)/in-sysroot make -j$(JOBS) -C "$$KDIR_IN_SYSROOT" $${MAKE_ARGS:-} \
		M=/src/lunatik MO=/src/lunatik/$(@D) LUNATIK_STAGE=/src/lunatik/build/lua modules >$(@D).log 2>&1 \
		|| { tail -n 40 $(@D).log; echo "make: the build failed; all of it is in $(@D).log"; exit 1; }
	@grep -E 'warning:' $(@D).log || true

.PHONY: user
user: ## build the native part of the user-space libraries and `check`, with the host's rustc and C compiler
	@lua/kernel/stage build/lua
	@src/user/build build/lua build/user
	@src/check/build build/lua build/user

.PHONY: klua-stock klua-debug
klua-stock klua-debug: klua-%: build/%/lunatik.ko # the test module that calls klua_*
	@selftests/klua/build $*

.PHONY: provision-stock provision-debug
provision-stock: ## make the Debian root and kernel trees below ~/.cache/lunatik
	@$(VM)/provision
provision-debug:
	@$(VM)/provision --debug

.PHONY: demo
demo: stock ## boot the stock kernel and show the main job as a person would type it
	@$(RUN) --quiet -- /lunatik/selftests/demo

.PHONY: shell
shell: stock ## an interactive shell in the VM, module loaded, scripts at hand
	@$(VM)/shell

.PHONY: test test-host test-kernel test-debug
test: ## host tests and kernel selftests on the stock kernel
	@selftests/all host stock

test-host: ## host tests only
	@selftests/all host

test-kernel: ## kernel selftests on the stock kernel only
	@selftests/all stock

test-debug: ## the detectors' proof and the kernel selftests on the debug kernel
	@selftests/all canary debug

.PHONY: fuzz
MINUTES ?= 10
fuzz: debug ## MINUTES of fuzzing on the debug kernel, and every allocation failing once
	@$(RUN) --kernel debug --timeout $$(($(MINUTES) * 60 + 1500)) -- env LUNATIK_FUZZ_SECONDS=$$(($(MINUTES) * 60)) \
		LUNATIK_TEST_TIMEOUT=$$(($(MINUTES) * 60 + 900)) /lunatik/selftests/run fuzz failnth
.PHONY: bench
bench: klua-stock ## figures: speed of Lua, calls, memory, latency, C stack; counted in instructions
	@selftests/bench/echo/build
	@$(RUN) --quiet --icount --timeout 3600 --add build/stock/klua --add build/bench -- /lunatik/selftests/bench/run
	@$(RUN) --quiet --param stackwatch=1 --timeout 600 -- /lunatik/selftests/bench/run cstack
	@for cpus in 1 2 4 8; do $(RUN) --quiet --smp $$cpus --timeout 300 -- /lunatik/selftests/bench/run scaling; done

.PHONY: mutants
mutants: stock ## switch one mechanism after the other off: the selftests must notice each
	@selftests/mutants/run

PREFIX ?= /usr/local
KVER ?= $(shell uname -r)
# Where Debian's lua5.3 looks.
LUADIR ?= $(PREFIX)/share/lua/5.3
LIBDIR ?= $(PREFIX)/lib/lua/5.3
BINDIR ?= $(PREFIX)/sbin
USER_FILES := $(LUADIR)/lunatik.lua $(LUADIR)/nflua.lua $(LUADIR)/memory.lua $(LUADIR)/lunatik/ctl.lua $(LUADIR)/lunatik/module.lua \
	$(LUADIR)/lunatik/watch.lua $(LUADIR)/lunatik/repl.lua $(LIBDIR)/lunatik/native.so $(BINDIR)/lunatik \
	$(PREFIX)/lib/lunatik/check $(PREFIX)/share/man/man8/lunatik.8 $(PREFIX)/share/bash-completion/completions/lunatik

.PHONY: install-user uninstall-user
install-user: user ## install the libraries and the command `lunatik` below PREFIX (/usr/local)
	install -d $(DESTDIR)$(LUADIR)/lunatik $(DESTDIR)$(LIBDIR)/lunatik
	install -m 0644 lua/user/*.lua $(DESTDIR)$(LUADIR)
	install -m 0644 lua/user/lunatik/*.lua $(DESTDIR)$(LUADIR)/lunatik
	install -m 0644 build/user/lunatik/native.so $(DESTDIR)$(LIBDIR)/lunatik
	install -D -m 0755 lua/user/bin/lunatik $(DESTDIR)$(BINDIR)/lunatik
	install -D -m 0755 build/user/check $(DESTDIR)$(PREFIX)/lib/lunatik/check
	install -D -m 0644 lua/user/lunatik.8 $(DESTDIR)$(PREFIX)/share/man/man8/lunatik.8
	install -D -m 0644 lua/user/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lunatik

uninstall-user: ## undo install-user
	rm -f $(addprefix $(DESTDIR),$(USER_FILES))
	rmdir $(DESTDIR)$(LUADIR)/lunatik $(DESTDIR)$(LIBDIR)/lunatik $(DESTDIR)$(PREFIX)/lib/lunatik 2>/dev/null || true

.PHONY: install uninstall
install: install-user ## install the module for KVER (default: the running kernel), the libraries and the command
	@ko=$$(ls build/host/lunatik.ko 2>/dev/null || ls build/stock/lunatik.ko 2>/dev/null) \
		|| { echo "make: nothing is built yet: run 'make' first"; exit 1; }; \
	install -D -m 0644 $$ko $(DESTDIR)/lib/modules/$(KVER)/updates/lunatik.ko; \
	install -d -m 0755 $(DESTDIR)/lib/modules/lua; \
	install -D -m 0644 src/klua.h $(DESTDIR)$(PREFIX)/include/klua.h; \
	if [ -z "$(DESTDIR)" ]; then depmod $(KVER); fi; \
	echo "installed for $(KVER): modprobe lunatik"

uninstall: uninstall-user ## undo install
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/lunatik.ko $(DESTDIR)$(PREFIX)/include/klua.h
	if [ -z "$(DESTDIR)" ]; then depmod $(KVER); fi

.PHONY: deb test-package
VERSION ?=
deb: ## build the Debian package (DKMS) in build/deb, and have lintian judge it
	@lua/dist/deb build/deb $(VERSION)

test-package: ## install the package in a fresh Debian root, boot two kernels with it, upgrade and remove it (half an hour)
	@selftests/package/run

.PHONY: fmt clippy
fmt: ## format the Rust code
	cargo fmt
	rustfmt src/lunatik.rs

clippy: ## lint the host build, warnings are errors
	cargo clippy --all-targets -- -D warnings

.PHONY: clean
clean: ## remove what was built in the checkout (the cache stays: ~/.cache/lunatik)
	rm -rf build target

.PHONY: help
help: ## this list
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "  %-14s %s\n", $$1, $$2 }'
