# What intake can do: make bench-intake. Peers (Node, Go) and their libraries are installed here, not by make deps.
.PHONY: bench-intake bench-intake-bins bench-intake-large bench-intake-peers
INTAKE_BENCH := $(B)/bench/load $(B)/bench/limit $(B)/bench/http_only
bench-bins: $(INTAKE_BENCH)

$(B)/bench/load: tests/bench/load.c
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -o $@ $< -lm

$(B)/bench/limit $(B)/bench/http_only: $(B)/bench/%: tests/bench/%.c $(B)/lib/libintake.a $(B)/lib/libcommon.a
	@mkdir -p $(@D)
	$(call SAY,BENCH $@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Isrc/common -Isrc/intake -I$(B)/gen/intake -o $@ $^ $(LIBS_intake) $(COMMON_LIBS)

$(B)/bench/peers/node/node_modules: tests/bench/peers/node/package.json
	@mkdir -p $(@D) && cp tests/bench/peers/node/package.json $(@D)
	@cd $(@D) && npm install --no-audit --no-fund --no-package-lock --silent && touch node_modules

$(B)/bench/peers/go/peer: tests/bench/peers/go/main.go tests/bench/peers/go/go.mod
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && go mod tidy >go.log 2>&1 && go build -o peer . || { cat go.log; exit 1; }

bench-intake-peers: $(B)/bench/peers/node/node_modules $(B)/bench/peers/go/peer

bench-intake: deps ## measure intake beside pgbench, the batch limit, Node and Go, and its latency
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins bench-intake-peers
	@/usr/bin/python3 tests/bench/intake.py table

bench-intake-large: deps ## measure intake on an empty table and on one of 10 M tickets
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins
	@/usr/bin/python3 tests/bench/intake.py large
