# Two commands do everything: `make demo` shows the whole loop, `make test` checks it.
# Both install the Debian packages they need (Prometheus, Alertmanager) when these are missing.

.PHONY: demo test accuracy fault-report bench-webhook setup build format clean

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

# What becomes of actions when something breaks, at each moment at which it can: a table, all zeros
fault-report:
	cargo test --locked -p remediation --test resilience report:: -- --nocapture

# From a notification to its journaled answer, at 200 requests a second
bench-webhook:
	cargo bench --locked -p remediation --bench webhook

setup:
	scripts/setup

build:
	cargo build --locked --workspace

format:
	cargo fmt --all

clean:
	cargo clean
