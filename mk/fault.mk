# The fault build, in build/fault: programs with crash points (src/common/crash.h).
.PHONY: fault

fault: ## build the programs with crash points, for the storm
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) FAULT=1 B=build/fault CFLAGS='$(CFLAGS)' all
