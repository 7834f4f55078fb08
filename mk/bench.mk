# Measurements, each on a private stack of its own. RUNS=3 by default.
.PHONY: bench-latency bench-backlog bench-bins

bench-bins: $(B)/bench/latency

$(B)/bench/latency: tests/bench/latency.c
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -o $@ $< -lpq -lrdkafka -lpthread

bench-latency: deps ## print commit-to-readable latency at 200 and 1,000 rows/s
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins
	@/usr/bin/python3 tests/bench/relay.py latency 200 1000

bench-backlog: deps ## print how fast the relay ships a backlog of 1 M rows
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@/usr/bin/python3 tests/bench/relay.py backlog
