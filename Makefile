# Everything that is needed to work on Thermoflow. `make` alone lists the targets.

PYTHON ?= python3
CONFIG ?= configs/tfbind8.toml
ACTORS ?= 2
ARGS   ?=
# Of `make fuzz`.
RUNS   ?= 1000000
NPM    ?= npm
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
# Release everywhere: training is quick, and libtorch's bindings are compiled once for programs, tests and lints.
CARGO_FLAGS := --workspace --release
PROGRAM := $(or $(CARGO_TARGET_DIR),./target)/release/thermoflow
# The page of `replay serve`, which Cargo puts into the program.
WEB    := inspect/web
PAGE   := $(WEB)/dist/index.html
MODULES := $(WEB)/node_modules/.package-lock.json
HAS_NPM := $(shell command -v $(NPM))

.DEFAULT_GOAL := help
.PHONY: help libtorch libtorch-cuda page build train venv test e2e screenshots faults cluster-test fuzz lint audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

libtorch: ## Fetch libtorch for the CPU (0.5 GB, once per user), unless it is here
	@$(PYTHON) tools/libtorch.py

libtorch-cuda: ## Fetch PyTorch with CUDA instead (3 GB), for an NVIDIA GPU
	@$(PYTHON) tools/libtorch.py --cuda

# Everybody can train without npm; in CI it must be there.
ifneq ($(or $(HAS_NPM),$(CI)),)
page: $(PAGE) ## Build the page of `thermoflow replay serve`
else
page:
	@echo 'npm is missing, so "thermoflow replay serve" will have no page: Node.js 20.19 or newer brings it' >&2
endif

$(MODULES): $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && $(NPM) ci --no-audit --no-fund

$(PAGE): $(MODULES) $(wildcard $(WEB)/*.json $(WEB)/*.ts $(WEB)/*.html $(WEB)/src/*)
	cd $(WEB) && $(NPM) run build

build: libtorch page ## Build all programs
	cargo build $(CARGO_FLAGS)

train: build ## Train on this machine: make train CONFIG=configs/tfbind8.toml ACTORS=2 ARGS="--rounds 50"
	$(PROGRAM) train $(CONFIG) --actors $(ACTORS) $(ARGS)

venv: libtorch
	@$(PYTHON) tools/python_for_tests.py

test: venv page ## Run all tests: make test ARGS="replay" for those of that name
	$(PYTHON) -m unittest discover --start-directory tools
	cargo build $(CARGO_FLAGS)  # whole-program tests start the sibling programs, which cargo test does not build
	cargo test $(CARGO_FLAGS) $(ARGS)
	@$(MAKE) --no-print-directory e2e

e2e: build ## Test the page in a real browser (Chromium; CHROMIUM=PATH names another)
ifneq ($(and $(HAS_NPM),$(CHROMIUM)),)
	cd $(WEB) && $(NPM) test && CHROMIUM=$(CHROMIUM) THERMOFLOW_BIN_DIR=$(abspath $(dir $(PROGRAM))) $(NPM) run e2e
else ifdef CI
	@echo 'no npm or no Chromium: apt-get install chromium, or name it in CHROMIUM' >&2; exit 1
else
	@echo 'SKIPPED: the page was not tested in a browser, because there is no npm or no Chromium (apt-get install chromium)' >&2
endif

screenshots: build ## Take the pictures of the page in docs/images
	cd $(WEB) && CHROMIUM=$(CHROMIUM) THERMOFLOW_BIN_DIR=$(abspath $(dir $(PROGRAM))) $(NPM) run screenshots

faults: build ## Do all faults to real processes and print the table (minutes; cut links and full disks take root)
	THERMOFLOW_FAULTS=long cargo test $(CARGO_FLAGS) --test faults $(ARGS) -- --nocapture --test-threads=1

cluster-test: build ## Launch runs on a real Slurm of three nodes, long form (root; apt-get install slurmctld slurmd slurm-client munge)
	THERMOFLOW_CLUSTER=long cargo test $(CARGO_FLAGS) --test cluster $(ARGS) -- --nocapture --test-threads=1

# No sanitizer: the code is safe Rust, what is looked for are panics, hangs and memory. New inputs go to fuzz/corpus,
# failures to fuzz/artifacts; git ignores both.
fuzz: libtorch ## Feed a decoder hostile bytes (nightly Rust, cargo-fuzz): make fuzz ARGS=to_learner RUNS=1000000
	@test -n "$(ARGS)" || { echo "make fuzz ARGS=TARGET, one of:" $$(ls fuzz/seeds) >&2; exit 2; }
	mkdir -p fuzz/corpus/$(ARGS)
	cargo +nightly fuzz run --sanitizer none $(ARGS) fuzz/corpus/$(ARGS) fuzz/seeds/$(ARGS) -- \
	  -runs=$(RUNS) -max_len=4096 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256

lint: libtorch page ## Check format, lints and docs as CI does
	@if [ -e $(MODULES) ]; then cd $(WEB) && $(NPM) run lint; fi
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(CARGO_FLAGS) --no-deps

audit: ## Check licences and sources of dependencies, without the network
	@cargo deny --version >/dev/null 2>&1 || \
	  { echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --offline check licenses bans sources

clean: ## Remove what was built here; the user's cache stays
	cargo clean
	rm -rf $(WEB)/dist $(WEB)/node_modules
	rm -f .libtorch .venv-test
