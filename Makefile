# Everything a person types is a target of this file; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PREFIX ?= /usr/local
DESTDIR ?=
# Where tests, demo and bench put their disks: big files do not belong into a /tmp that may be memory.
SCRATCH := TMPDIR=$${TMPDIR:-/var/tmp}
FUZZ := $$([ -w /dev/shm ] && echo /dev/shm || echo $${TMPDIR:-/var/tmp})

BUILD_PACKAGES := libcurl4-openssl-dev liblzma-dev libsqlite3-dev libzstd-dev pkg-config zlib1g-dev
RUN_PACKAGES := ca-certificates catatonit e2fsprogs git iproute2 libcurl4 mmdebstrap mount nftables runc util-linux zstd
TEST_PACKAGES := acl attr bash-completion busybox-static docker-registry fdisk fio fish git-lfs libcap2-bin openssl podman procps python3 python3-jsonschema python3-venv python3-yaml qemu-system-x86 qemu-utils skopeo umoci xz-utils zsh
RECIPES_PACKAGES := jq
BENCH_PACKAGES := fio libc-bin podman python3 qemu-system-common qemu-utils zstd
AUTOINSTALL_PACKAGES := apt git python3 python3-pip python3-yaml tar xz-utils
RELEASE := swift build -c release --static-swift-stdlib --product terrine

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

deps: ## install the Debian packages that are missing, and say which
	@Scripts/install-packages $(BUILD_PACKAGES) $(RUN_PACKAGES) $(TEST_PACKAGES)

bench-deps:
	@Scripts/install-packages $(BUILD_PACKAGES) $(RUN_PACKAGES) $(BENCH_PACKAGES)

build: deps ## build .build/release/terrine, one self-contained program
	$(RELEASE)

demo: build ## recipe -> image -> tests in a machine -> checkpoint -> forks that diverge
	@$(SCRATCH) Scripts/demo .build/release/terrine

recipes: build ## build and check every recipe of Recipes/ twice on empty stores, and compare; ONLY=jq for one
	@Scripts/install-packages $(RECIPES_PACKAGES)
	@$(SCRATCH) Scripts/recipes .build/release/terrine $(ONLY)

test: deps ## build everything and run all tests
	swift build --build-tests
	@# In a mount namespace of their own: no other process of the host holds on to what a test mounts, and a chroot is a root there.
	$(SCRATCH) $$([ "$$(id -u)" -ne 0 ] || echo .build/debug/terrine __private) swift test --skip-build --no-parallel

soak: deps build ## kill 300 times, stop at every crash point, cut the power, flip and fill; a million damaged inputs for each parser
	swift build --build-tests
	$(SCRATCH) TERRINE_SOAK=1 $$([ "$$(id -u)" -ne 0 ] || echo .build/debug/terrine __private) swift test --skip-build --no-parallel --filter 'CrashTests|CrashPointTests|DamageTests|PowerLossTests|SurvivalTests'
	$(SCRATCH) Scripts/soak-servers .build/release/terrine 100
	@# A million small files that are synced: in memory, where there is some.
	TMPDIR=$(FUZZ) TERRINE_FUZZ=1000000 swift test -c release -Xswiftc -enable-testing --no-parallel --scratch-path .build-soak --filter '(ChunkStoreTests|ImagesTests|DisksTests|MachinesTests).FuzzTests'
	TMPDIR=$(FUZZ) TERRINE_FUZZ=50000 swift test -c release -Xswiftc -enable-testing --no-parallel --scratch-path .build-soak --filter '(ArchivesTests|RecipesTests|TreesTests).*(Fuzz|fuzz)'

tsan: deps ## run the tests of store, images and disks under ThreadSanitizer
	$(SCRATCH) TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/tsan-suppressions swift test --sanitize=thread --no-parallel --scratch-path .build-tsan --filter 'ChunkStoreTests|UpkeepTests|RetentionTests|ImageStoreTests|DiskModelTests|DiskTests'

lint: ## check formatting and the house rules
	@swift format lint --strict -r Sources Tests Package.swift
	@Scripts/house-rules
	@echo "lint: clean"

format: ## format all sources in place
	swift format -i -r Sources Tests Package.swift

bench: bench-deps build ## measure against runc, podman, qemu and a native loop; writes Benchmarks/results.md
	$(SCRATCH) Benchmarks/bench .build/release/terrine --record

autoinstall-bench: build ## try autoinstall on real upstream sources; writes Docs/autoinstall-results.md; ONLY="click toml", HIDDEN=1
	@Scripts/install-packages $(RUN_PACKAGES) $(AUTOINSTALL_PACKAGES)
	$(SCRATCH) Benchmarks/autoinstall/run .build/release/terrine --record $(if $(HIDDEN),--hidden) $(ONLY)

install: build ## install terrine into PREFIX (/usr/local), below DESTDIR if set
	install -D -m 755 .build/release/terrine $(DESTDIR)$(PREFIX)/bin/terrine
	strip $(DESTDIR)$(PREFIX)/bin/terrine

clean: ## remove what was built
	rm -rf .build

.PHONY: help deps bench-deps build demo recipes test soak tsan lint format bench autoinstall-bench install clean
