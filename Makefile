# Two commands do all the set-up: `make demo` and `make test`.
# PYTHON tools for tests and benchmarks live in virtual environments made here; the deployed
# contracts that the AMM engine is compared with are published packages, in CONTRACTS, and so
# is the chain node that the indexer follows, in NODE_TOOLS. The NATS server that signals are
# sent to is a Debian package, unpacked in NATS_TOOLS where it is not installed.

VENV ?= $(CURDIR)/.venv
CONTRACTS ?= $(CURDIR)/.contracts
NODE_TOOLS ?= $(CURDIR)/.node-tools
NATS_TOOLS ?= $(CURDIR)/.nats-tools
BENCH_VENV ?= $(CURDIR)/.venv-bench
V3_SIMULATOR ?= $(CURDIR)/.v3-simulator
ASSAY_TEST_DATA ?= $(CURDIR)/../shared/data
DATA ?=
FUZZ_SECONDS ?= 30

export ASSAY_PYTHON := $(VENV)/bin/python
export ASSAY_TEST_DATA
export ASSAY_CONTRACTS := $(CONTRACTS)
export ASSAY_NODE_TOOLS := $(NODE_TOOLS)
export ASSAY_NATS_TOOLS := $(NATS_TOOLS)
export ASSAY_V3_SIMULATOR := $(V3_SIMULATOR)

# Random operations on each pool kind and its contract in `make verify`.
FUZZ_OPERATIONS ?= 100000

# How many times the usual number of random pools the AMM engine's properties hold on in `make verify`.
AMM_CASES ?= 3

.PHONY: demo build test test-data verify fuzz contracts node-tools nats-tools lint bench clean-venv cargo-present bench-amm m4-present postgres-present

demo: cargo-present ## the whole life cycle on the bundled sample, or on DATA=FILE
	cargo run --release --locked --quiet -p assay-cli -- demo $(if $(DATA),--data $(DATA))

build: cargo-present ## the release binary: target/release/assay
	cargo build --release --locked -p assay-cli

test: cargo-present postgres-present $(VENV)/.ready $(CONTRACTS)/.ready $(NODE_TOOLS)/.ready $(NATS_TOOLS)/.ready ## every test that needs only the repository
	cargo test --workspace --locked --no-fail-fast --features assay-server/otel

test-data: cargo-present postgres-present $(VENV)/.ready ## the tests on real market data in ASSAY_TEST_DATA
	@test -d "$(ASSAY_TEST_DATA)" || { echo "make test-data: no folder $(ASSAY_TEST_DATA); set ASSAY_TEST_DATA to the folder of real data" >&2; exit 1; }
	cargo test --workspace --locked --features assay-cli/test-data,assay-features/test-data,assay-sim/test-data,assay-lake/test-data,assay-amm/test-data,assay-lp/test-data,assay-store/test-data --test 'data_*'
	cargo test -p assay-amm --locked --features test-data --test data_amm all_recorded_answers -- --nocapture

# The fuzzer's instrumentation is a nightly option, which RUSTC_BOOTSTRAP opens on the pinned compiler.
fuzz: cargo-present ## FUZZ_SECONDS of coverage-guided fuzzing on each target of fuzz/
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install --locked cargo-fuzz" >&2; exit 1; }
	@set -e; for file in fuzz/fuzz_targets/*.rs; do \
		target=$$(basename $$file .rs); \
		mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target; \
		dictionary=fuzz/dictionaries/$$target.dict; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=5 $$(test ! -f $$dictionary || echo -dict=$$dictionary); \
	done

verify: test test-data ## the above, then AMM_CASES times the random pools, and FUZZ_OPERATIONS random operations per pool kind on the real contracts
	ASSAY_CASES=$(AMM_CASES) cargo test -p assay-amm --locked --test properties
	ASSAY_FUZZ_OPERATIONS=$(FUZZ_OPERATIONS) cargo test -p assay-bytecode --locked --test differential -- --nocapture

contracts: $(CONTRACTS)/.ready ## the bytecode of the deployed contracts

node-tools: $(NODE_TOOLS)/.ready ## the chain node for tests

nats-tools: $(NATS_TOOLS)/.ready ## the NATS server for tests

lint: cargo-present ## formatting, clippy and documentation, warnings as errors
	cargo fmt --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

bench: cargo-present m4-present $(BENCH_VENV)/.ready $(CONTRACTS)/.ready $(V3_SIMULATOR)/.ready ## our speed beside the peers', measured in one run
	$(BENCH_VENV)/bin/python benches/table.py

bench-amm: cargo-present m4-present $(CONTRACTS)/.ready $(V3_SIMULATOR)/.ready ## the rows of the AMM engine alone
	python3 benches/table.py amm

cargo-present:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: on Debian, apt-get install build-essential" >&2; exit 1; }

m4-present:
	@command -v m4 >/dev/null || { echo "m4 is missing, which a peer's build needs: on Debian, apt-get install m4" >&2; exit 1; }

postgres-present:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { echo "PostgreSQL is missing, which tests start: on Debian, apt-get install postgresql-15" >&2; exit 1; }

# Marks a virtual environment as complete only after its last package is in.
$(VENV)/.ready: testdata/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 is missing: on Debian, apt-get install python3 python3-venv" >&2; exit 1; }
	python3 -m venv $(VENV) || { echo "python3 has no venv module: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r testdata/requirements.txt
	touch $@

# Marks the folder as complete only after its last package is in.
$(CONTRACTS)/.ready: testdata/contracts/package.json testdata/contracts/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: on Debian, apt-get install npm" >&2; exit 1; }
	mkdir -p $(CONTRACTS)
	cp testdata/contracts/package.json testdata/contracts/package-lock.json $(CONTRACTS)/
	cd $(CONTRACTS) && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
	touch $@

$(NODE_TOOLS)/.ready: testdata/node/package.json testdata/node/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: on Debian, apt-get install npm" >&2; exit 1; }
	mkdir -p $(NODE_TOOLS)
	cp testdata/node/package.json testdata/node/package-lock.json $(NODE_TOOLS)/
	cd $(NODE_TOOLS) && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
	touch $@

# Needs no rights: the package is unpacked, not installed.
$(NATS_TOOLS)/.ready:
	mkdir -p $(NATS_TOOLS)
	@command -v nats-server >/dev/null || test -x /usr/sbin/nats-server || test -x $(NATS_TOOLS)/usr/sbin/nats-server || { \
		{ command -v apt-get && command -v dpkg; } >/dev/null || { echo "nats-server is missing, which tests start: install it from https://nats.io/download" >&2; exit 1; }; \
		echo "unpacking the Debian package nats-server into $(NATS_TOOLS)"; \
		cd $(NATS_TOOLS) && apt-get download --quiet nats-server && dpkg -x nats-server_*.deb . && rm nats-server_*.deb || \
		{ echo "the package nats-server cannot be had: on Debian, apt-get update and apt-get install nats-server" >&2; exit 1; }; }
	touch $@

$(V3_SIMULATOR)/.ready: benches/peers/v3-simulator/package.json benches/peers/v3-simulator/package-lock.json benches/peers/v3-simulator/replay.js
	@command -v npm >/dev/null || { echo "npm is missing: on Debian, apt-get install npm" >&2; exit 1; }
	mkdir -p $(V3_SIMULATOR)
	cp $^ $(V3_SIMULATOR)/
	cd $(V3_SIMULATOR) && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error
	touch $@

$(BENCH_VENV)/.ready: benches/peers/requirements.txt
	@command -v python3 >/dev/null || { echo "python3 is missing: on Debian, apt-get install python3 python3-venv" >&2; exit 1; }
	python3 -m venv $(BENCH_VENV) || { echo "python3 has no venv module: on Debian, apt-get install python3-venv" >&2; exit 1; }
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r benches/peers/requirements.txt
	touch $@

clean-venv:
	rm -rf $(VENV) $(BENCH_VENV) $(CONTRACTS) $(NODE_TOOLS) $(NATS_TOOLS) $(V3_SIMULATOR)
