# The private stack: see tools/squad-stack.
# Jobs that each expert of make up may hold: so many that a load test measures the path, not the company.
CAPACITY ?= 1000
.PHONY: deps up down demo

deps: ## install what is missing: packages by apt-get, Kafka's jars by Maven
	@tools/deps

up: deps ## start a private PostgreSQL, Kafka and squad in the background
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tools/squad-stack up --capacity $(CAPACITY)

down: ## stop them
	@tools/squad-stack down

demo: deps ## show a ticket's whole way, and that a kill -9 loses nothing
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@tools/squad-demo
