# Measurements of dispatch, each arm on the same private stack in the same run. RUNS=3 by default.
.PHONY: bench-dispatch bench-dispatch-bins

bench-dispatch-bins: $(B)/bench/path $(B)/bench/river

$(B)/bench/path: tests/bench/path.c
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -o $@ $<

# The peer is Go; it is fetched and built for measurements only.
$(B)/bench/river: $(wildcard tests/bench/dispatch/river/*)
	@command -v go >/dev/null || { echo "make bench-dispatch: its peer River needs Go 1.26 or later, see https://go.dev/doc/install" >&2; exit 1; }
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)cd tests/bench/dispatch/river && go build -o $(abspath $@) .

bench-dispatch: deps ## print how fast tickets get their experts, beside plain SQL and River
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-dispatch-bins
	@/usr/bin/python3 tests/bench/dispatch.py database
	@/usr/bin/python3 tests/bench/dispatch.py assigners
	@/usr/bin/python3 tests/bench/dispatch.py path
