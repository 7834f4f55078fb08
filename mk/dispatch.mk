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

.PHONY: bench-freed profile-path
bench-freed: deps ## print how soon a freed expert has the next ticket, with 100,000 that wait
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@/usr/bin/python3 tests/bench/freed.py

profile-path: deps ## print where the CPU time of a ticket goes, from its request to its webhook: RATES='500 1000'
	@$(MAKE) --no-print-directory -j$(JOBS) all $(B)/bench/path
	@/usr/bin/python3 tests/bench/path_cpu.py $(RATES)

$(B)/bench/simulate: tests/bench/simulate.c $(wildcard tests/unit/assigner/sim*.c) $(wildcard tests/unit/assigner/sim*.h) $(B)/lib/libassigner.a $(B)/lib/libcommon.a
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Isrc/common -Isrc/assigner -Itests/unit/assigner -o $@ $(filter %.c %.a,$^) $(LIBS_assigner) $(COMMON_LIBS)

.PHONY: simulate
simulate: deps ## run a company's day through the choice of experts: SIM='--days 7 --objectives load,idle'
	@$(MAKE) --no-print-directory -j$(JOBS) $(B)/bench/simulate
	@$(B)/bench/simulate $(SIM)

$(B)/bench/choose: tests/bench/choose.c $(B)/lib/libassigner.a $(B)/lib/libcommon.a
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Isrc/common -Isrc/assigner -o $@ $^ $(LIBS_assigner) $(COMMON_LIBS)

.PHONY: bench-choose
bench-choose: deps ## print what one choice of an expert costs, and an expert in memory
	@$(MAKE) --no-print-directory -j$(JOBS) $(B)/bench/choose
	@$(B)/bench/choose
