# Two commands do everything: `make demo` shows the whole loop, `make test` checks it.
# Both install the Debian packages they need (Prometheus, Alertmanager) when these are missing.

.PHONY: demo test test-kubernetes accuracy bench bench-remote-read bench-rules bench-webhook chaos compat-report fault-report fuzz setup build format clean

demo:
	scripts/setup demo
	cargo build --locked -p exporter -p demo
	target/debug/foreshadow-demo $(DEMO_ARGS)

test: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p exporter --no-default-features --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked
	env -u KUBECONFIG cargo test --workspace --locked

# The suite of the Kubernetes actuator against a real cluster: make test-kubernetes KUBECONFIG=FILE [KUBECTL=PROGRAM]. Without one,
# against Debian's API server on loopback, which is built once.
KUBERNETES_SUITE = cargo test --locked -p remediation --features kubernetes --test kubernetes -- --nocapture --test-threads=2
test-kubernetes:
ifeq ($(KUBECONFIG),)
	scripts/kubernetes $(KUBERNETES_SUITE)
else
	KUBECONFIG="$(abspath $(KUBECONFIG))" $(if $(KUBECTL),KUBECTL="$(KUBECTL)") $(KUBERNETES_SUITE)
endif

# How good forecasts are on a folder of CSV files: make accuracy DATA=FOLDER
accuracy:
	@test -n "$(DATA)" || { echo "make accuracy: name a folder of CSV files, as DATA=FOLDER" >&2; exit 2; }
	cargo build --release --locked -p exporter
	cargo run --locked -q -p xtask -- accuracy $(DATA)

# What the forecast engine costs, beside augurs in the same run
bench:
	cargo run --locked -q -p xtask -- bench

# Remote read side by side with Prometheus' own: samples a CPU-second, memory, latency; BENCH_ARGS="--models 10000"
bench-remote-read:
	scripts/setup demo
	cargo build --release --locked -p exporter -p bench
	target/release/bench-remote-read $(BENCH_ARGS)

# Looks for inputs that break a promise: make fuzz TARGET=xor_chunk MINUTES=30; without a target each in turn
fuzz:
	fuzz/run $(or $(MINUTES),1) $(TARGET)

# What becomes of actions when something breaks, at each moment at which it can: a table, all zeros; and what ten
# thousand alerts that say whatever they like reach
fault-report:
	FAULT_REPORT_FULL=1 cargo test --locked -p remediation --test resilience -- report:: fuzz:: --nocapture

# The program under random faults, in worlds of stubs, with the journal read at each effect:
# make chaos MINUTES=20 CHAOS_ARGS="--seed 7 --worlds 3"
chaos:
	scripts/setup chaos
	cargo build --locked -p exporter -p chaos
	target/debug/foreshadow-chaos --minutes $(or $(MINUTES),20) $(CHAOS_ARGS)

# From a notification to its journaled answer, through the program's own server, at 200 requests a second
bench-webhook:
	cargo bench --locked -p exporter --bench webhook

# What one rule over very many series costs, against a real Prometheus: make bench-rules BENCH_ARGS="--series 10000"
bench-rules:
	scripts/setup demo
	cargo build --release --locked -p exporter -p bench-rules
	target/release/bench-rules $(BENCH_ARGS)

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
