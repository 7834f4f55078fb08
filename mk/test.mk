# Tests: unit without services, the rest against a private PostgreSQL and a private Kafka.
.PHONY: test test-unit test-services test-e2e check-asan check-analyzer

test: deps ## run all tests on real parts, from nothing
	@$(MAKE) --no-print-directory -j$(JOBS) all test-bins bench-bins fault
	@tools/run-tests unit services e2e storm

test-unit: ## run the unit tests only
	@$(MAKE) --no-print-directory -j$(JOBS) test-bins
	@tools/run-tests unit

test-services: ## run the tests against a private PostgreSQL and Kafka
	@$(MAKE) --no-print-directory -j$(JOBS) all test-bins
	@tools/run-tests services

test-e2e: ## run the end-to-end tests: the real programs, killed and cut
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins fault
	@tools/run-tests e2e

check-asan: deps fault ## run all tests with programs and tests under ASan and UBSan
	@$(MAKE) --no-print-directory -j$(JOBS) B=build/asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' all test-bins bench-bins
	@SQUAD_BUILD=build/asan tools/run-tests unit services e2e

check-analyzer: deps ## compile everything with gcc -fanalyzer
	@$(MAKE) --no-print-directory -j$(JOBS) B=build/analyzer CFLAGS='-O1 -g -fanalyzer' all

JOBS ?= $(shell nproc)
