# Deliberate defects that the storm must see: see tests/mutants/README.md and docs/reliability.md.
.PHONY: mutants mutants-check

mutants: deps ## build each deliberate defect and storm it until it is caught: ONLY=NAME,... FRESH=1
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@cd tests && /usr/bin/python3 -m mutants $(if $(ONLY)$(NAME),--only '$(or $(ONLY),$(NAME))') $(if $(FRESH),--fresh)

mutants-check: deps ## apply and build each deliberate defect, storm none
	@$(MAKE) --no-print-directory -j$(JOBS) all fault
	@cd tests && /usr/bin/python3 -m mutants --check
