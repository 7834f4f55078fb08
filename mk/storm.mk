# The storm: see tests/storm/README.md and docs/reliability.md.
SEED    ?= $(shell date +%s)
RUNS    ?= 1
TICKETS ?= 20000
FAULTS  ?= 45
.PHONY: storm

storm: deps ## storm it with seeded faults: SEED= RUNS= TICKETS= FAULTS=
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@cd tests && /usr/bin/python3 -m storm run --build ../build/fault --seed $(SEED) --runs $(RUNS) --tickets $(TICKETS) --faults $(FAULTS)
