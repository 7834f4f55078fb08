# libFuzzer on what intake reads from strangers: tests/fuzz/intake.c. SECONDS_EACH=600 by default.
# The kept corpus is tests/fuzz/corpus; the unit tests replay it.
.PHONY: fuzz fuzz-keep
SECONDS_EACH ?= 600
FUZZED := gate validate violations json_place scan form hex media accept text problem
FUZZ_SOURCES := tests/fuzz/intake.c $(FUZZED:%=src/intake/%.c) src/common/mem.c src/common/ticket.c src/common/utf8.c

$(B)/fuzz/intake: $(FUZZ_SOURCES) $(wildcard src/intake/*.h)
	@tools/need clang-14 libclang-rt-14-dev
	@mkdir -p $(@D)
	$(call SAY,FUZZ  $@)
	$(Q)clang-14 -std=gnu17 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	    -Isrc/common -Isrc/intake $(PKG_CFLAGS) -o $@ $(FUZZ_SOURCES) -ljansson

fuzz: $(B)/fuzz/intake ## fuzz intake's readers under ASan for 10 minutes
	@/usr/bin/python3 tests/fuzz/seeds.py $(B)/fuzz/seeds
	@mkdir -p $(B)/fuzz/corpus $(B)/fuzz/found
	@$< -max_total_time=$(SECONDS_EACH) -max_len=4096 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
	    -dict=tests/fuzz/intake.dict -artifact_prefix=$(B)/fuzz/found/ $(B)/fuzz/corpus tests/fuzz/corpus $(B)/fuzz/seeds

fuzz-keep: $(B)/fuzz/intake ## keep the least corpus that reaches as far as what was found
	@mkdir -p $(B)/fuzz/least && rm -f $(B)/fuzz/least/*
	@$< -merge=1 -max_len=1024 $(B)/fuzz/least tests/fuzz/corpus $(B)/fuzz/seeds $(B)/fuzz/corpus
	@rm -rf tests/fuzz/corpus && cp -r $(B)/fuzz/least tests/fuzz/corpus

.PHONY: check-scan
check-scan: $(B)/test/unit-intake ## hold the quick JSON reader against jansson on 5 M documents
	@SQUAD_SCAN_DOCUMENTS=5000000 $< --filter 'scan/*' --verbose=0
