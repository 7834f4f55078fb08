# The storm: see tests/storm/README.md and docs/reliability.md.
SEED    ?= $(shell date +%s)
RUNS    ?= 1
TICKETS ?= 20000
FAULTS  ?= 45
LANES   ?= 4
STORM    = cd tests && /usr/bin/python3 -m storm
# Of a campaign: when it ends, faults a run, runs side by side.
UNTIL           ?=
CAMPAIGN_FAULTS ?= 150
STACKS          ?= 2
.PHONY: storm storm-quick storm-campaign storm-recovery storm-tables

storm: deps ## storm it with seeded faults: SEED= RUNS= TICKETS= FAULTS= LANES=
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@$(STORM) run --build ../build/fault --seed $(SEED) --runs $(RUNS) --tickets $(TICKETS) --faults $(FAULTS) \
	    --lanes $(LANES)

storm-quick: deps ## storm it with every kind of fault once, two minutes
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@$(STORM) run --build ../build/fault --quick --seed $(SEED) --tickets 4000

storm-campaign: deps ## runs of what tests/storm/campaign.jsonl lacks, until UNTIL=HH:MM (UTC) or until it lacks nothing: SINCE=
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@$(STORM) campaign storm/campaign.jsonl --build ../build/fault --faults $(CAMPAIGN_FAULTS) --lanes 8 \
	    --stacks $(STACKS) $(if $(UNTIL),--until $(UNTIL)) $(if $(SINCE),--since $(SINCE))

storm-recovery: deps ## kill -9 each program twenty times while nothing else is broken, into the same file
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@$(STORM) run --build ../build/fault --seed $(SEED) --only 'calm-kill-*' --faults 80 --tickets 8000 --rate-max 60 \
	    --campaign storm/campaign.jsonl

storm-tables: ## print the campaign's tables for docs/reliability.md, or of all runs since the programs SINCE=DIGEST
	@$(STORM) tables $(if $(SINCE),--since $(SINCE))
