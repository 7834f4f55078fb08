# squad. `make help` lists what there is to make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# FAULT=1: with the crash points of src/common/crash.h, for tests only.
B        ?= $(if $(FAULT),build/fault,build)
ifeq ($(origin CC),default)
CC       := gcc
endif
ifndef V
Q        := @
SAY      = @echo '  $(1)'
endif
VERSION  := 0.1.0
PROGRAMS := intake relay assigner notifier cli
BIN      := $(B)/bin
SCHEMA_VERSION := $(words $(wildcard sql/migrations/*.sql))

CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Werror
PKGS     := libpq libmicrohttpd jansson rdkafka libcurl libcrypto
# Evaluated when a recipe runs, because `make deps` may install the packages first.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
ALL_CFLAGS = -std=gnu17 $(WARN) $(CFLAGS) $(SAN) -D_GNU_SOURCE -DSQUAD_VERSION='"$(VERSION)"' \
             -DSQUAD_SCHEMA_VERSION=$(SCHEMA_VERSION) $(if $(FAULT),-DSQUAD_FAULT) $(PKG_CFLAGS) -MMD -MP
COMMON_LIBS   := -lpq -lrdkafka -lcrypto -lpthread -lm
LIBS_intake   := -lmicrohttpd -ljansson
LIBS_relay    := -ljansson
LIBS_assigner := -ljansson
LIBS_notifier := -ljansson -lcurl
LIBS_cli      := -ljansson -lcurl

name = $(if $(filter cli,$(1)),squad,squad-$(1))
objs = $(patsubst src/$(1)/%.c,$(B)/obj/$(1)/%.o,$(wildcard src/$(1)/*.c)) \
       $(if $(wildcard sql/queries/$(1)/*.sql),$(B)/obj/gen/$(1)/sql.o)
HAVE := $(foreach p,$(PROGRAMS),$(if $(wildcard src/$(p)/main.c),$(p)))

.PHONY: all bins
all: bins ## build everything (make -j is fine)
bins: $(foreach p,$(HAVE),$(BIN)/$(call name,$(p)))

# The include path is the arrow: a part sees src/common and itself only.
define part
$(B)/obj/$(1)/%.o: src/$(1)/%.c $$(if $$(wildcard sql/queries/$(1)/*.sql),$(B)/gen/$(1)/sql.h) $$(GEN_$(1)) | $(B)/stamp/$(SCHEMA_VERSION)
	@mkdir -p $$(@D)
	$$(call SAY,CC    $$<)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -Isrc/common -Isrc/$(1) -I$(B)/gen/$(1) -c -o $$@ $$<
$(B)/obj/gen/$(1)/%.o: $(B)/gen/$(1)/%.c
	@mkdir -p $$(@D)
	$$(call SAY,CC    $$<)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -I$(B)/gen/$(1) -c -o $$@ $$<
$(B)/gen/$(1)/sql.h $(B)/gen/$(1)/sql.c &: $$(wildcard sql/queries/$(1)/*.sql) tools/embed
	@mkdir -p $$(@D)
	@tools/embed sql $(B)/gen/$(1)/sql $$(wildcard sql/queries/$(1)/*.sql)
$(B)/lib/lib$(1).a: $$(filter-out $(B)/obj/$(1)/main.o,$$(call objs,$(1))) $$(EXTRA_OBJS_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@ && ar rcs $$@ $$^
endef
# Intake carries its pages inside it, and the command the migrations and the seed.
WEB_FILES         := $(wildcard src/intake/web/*)
GEN_intake        := $(B)/gen/intake/web.h
EXTRA_OBJS_intake := $(B)/obj/gen/intake/web.o
GEN_cli        := $(B)/gen/cli/migrations.h $(B)/gen/cli/seed.h
EXTRA_OBJS_cli := $(B)/obj/gen/cli/migrations.o $(B)/obj/gen/cli/seed.o
$(foreach p,common $(PROGRAMS),$(eval $(call part,$(p))))
$(B)/gen/intake/web.h $(B)/gen/intake/web.c &: $(WEB_FILES) tools/embed
	@mkdir -p $(@D)
	@tools/embed web $(B)/gen/intake/web $(WEB_FILES)
$(B)/gen/cli/migrations.h $(B)/gen/cli/migrations.c &: $(wildcard sql/migrations/*.sql) tools/embed
	@mkdir -p $(@D)
	@tools/embed migration $(B)/gen/cli/migrations $(wildcard sql/migrations/*.sql)
$(B)/gen/cli/seed.h $(B)/gen/cli/seed.c &: $(wildcard sql/seed/*.sql) tools/embed
	@mkdir -p $(@D)
	@tools/embed seed $(B)/gen/cli/seed $(wildcard sql/seed/*.sql)

# A new migration changes the version that pg.o was compiled with.
$(B)/obj/common/pg.o: $(B)/stamp/$(SCHEMA_VERSION)
$(B)/stamp/$(SCHEMA_VERSION):
	@mkdir -p $(@D) && rm -f $(@D)/* && touch $@

define program
$(BIN)/$(call name,$(1)): $(B)/obj/$(1)/main.o $(B)/lib/lib$(1).a $(B)/lib/libcommon.a
	@mkdir -p $$(@D)
	$$(call SAY,LINK  $$@)
	$$(Q)$$(CC) $$(CFLAGS) $$(SAN) -o $$@ $$^ $$(LIBS_$(1)) $(COMMON_LIBS)
endef
$(foreach p,$(HAVE),$(eval $(call program,$(p))))

# tests/LAYER/PART/test_*.c make one Criterion program, build/test/LAYER-PART.
TEST_DIRS := $(patsubst tests/%/,%,$(sort $(dir $(wildcard tests/unit/*/test_*.c tests/pg/*/test_*.c tests/kafka/*/test_*.c))))
TEST_BINS := $(foreach d,$(TEST_DIRS),$(B)/test/$(subst /,-,$(d)))
define test
$(B)/test/$(subst /,-,$(1)): $(wildcard tests/$(1)/*.c) $(wildcard tests/$(1)/*.h) $(wildcard tests/support/*.c) $(wildcard tests/support/*.h) $(if $(filter-out common,$(notdir $(1))),$(B)/lib/lib$(notdir $(1)).a) $(B)/lib/libcommon.a
	@mkdir -p $$(@D)
	$$(call SAY,TEST  $$@)
	$$(Q)$$(CC) $$(filter-out -MMD -MP,$$(ALL_CFLAGS)) -Isrc/common -Isrc/$(notdir $(1)) -I$(B)/gen/$(notdir $(1)) -Itests/support -o $$@ $$(filter %.c,$$^) $$(filter %.a,$$^) -lcriterion $$(LIBS_$(notdir $(1))) $(COMMON_LIBS)
endef
$(foreach d,$(TEST_DIRS),$(eval $(call test,$(d))))
.PHONY: test-bins
test-bins: $(TEST_BINS)

-include mk/*.mk
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

.PHONY: fmt fmt-check clean help
C_FILES = $(shell git ls-files '*.c' '*.h')
fmt: ## format the C code
	clang-format-14 -i $(C_FILES)
fmt-check:
	clang-format-14 --dry-run -Werror $(C_FILES)
clean: ## remove what was built (make down first)
	rm -rf $(B)/bin $(B)/obj $(B)/lib $(B)/gen $(B)/test $(B)/stamp
help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
