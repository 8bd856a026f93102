# Two commands do everything: `make demo` shows the whole loop, `make test` checks it.
# Both install the Debian packages they need (Prometheus, Alertmanager) when these are missing.

.PHONY: demo test accuracy bench-rules compat-report setup build format clean

demo: setup
	cargo build --locked -p exporter -p demo
	target/debug/foreshadow-demo $(DEMO_ARGS)

test: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	cargo test --workspace --locked

# How good forecasts are on a folder of CSV files: make accuracy DATA=FOLDER
accuracy:
	@test -n "$(DATA)" || { echo "make accuracy: name a folder of CSV files, as DATA=FOLDER" >&2; exit 2; }
	cargo build --release --locked -p exporter
	target/release/foreshadow backtest --csv $(DATA) --step 5m --horizon 24h --origins 5 --stride 20h50m --history 14d

# What one rule over very many series costs, against a real Prometheus: make bench-rules [ARGS="--series 10000"]
bench-rules: setup
	cargo build --release --locked -p exporter -p bench-rules
	target/release/bench-rules $(ARGS)

# Which ways to ask about the future work with which Prometheus, as a table.
compat-report: setup
	cargo test --locked -q -p exporter --test program compat -- --nocapture

setup:
	scripts/setup

build:
	cargo build --locked --workspace

format:
	cargo fmt --all

clean:
	cargo clean
