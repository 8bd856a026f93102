# Two commands do everything: `make demo` shows the whole loop, `make test` checks it.
# Both install the Debian packages they need (Prometheus, Alertmanager) when these are missing.

.PHONY: demo test setup build format lint docs clean

demo: setup
	cargo build --locked -p exporter -p demo
	target/debug/foreshadow-demo $(DEMO_ARGS)

test: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	cargo test --workspace --locked

setup:
	scripts/setup

build:
	cargo build --locked --workspace

format:
	cargo fmt --all

clean:
	cargo clean
