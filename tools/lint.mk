# SPDX-License-Identifier: Apache-2.0
# Looking for faults without running a test: fuzzing, analysers; and the form of the text.

# ---- fuzzing: libFuzzer, an object folder of its own
fuzz-programs: $(addprefix $(BUILD)/,$(FUZZ))
$(addprefix $(BUILD)/,$(FUZZ)): $(BUILD)/%: $(BUILD)/obj/test/fuzz/%.o $(TESTED)
	$(call program,$^ -fsanitize=fuzzer)
fuzz:
	@tools/deps build fuzz
	@$(SUBMAKE) CC=clang BUILD=$(BUILD)/fuzz SAN=fuzzer-no-link,address,undefined fuzz-programs
	@set -e; for f in $(FUZZ); do mkdir -p $(BUILD)/fuzz/corpus/$$f test/fuzz/corpus/$$f; \
	  $(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	  -artifact_prefix=$(BUILD)/fuzz/$$f- $(BUILD)/fuzz/corpus/$$f test/fuzz/corpus/$$f; done

# ---- lint and format
C_FILES := $(wildcard src/*/*.c)
ALL_FILES := $(wildcard src/*/*.[ch] include/rejoin/*.h test/*/*.[ch] test/unit/support/*.[ch] \
               bench/*.[ch] examples/*.[ch] examples/*/*.[ch])
lint:
	@tools/deps build lint
	printf '%s\n' $(filter-out $(SKIPPED),$(C_FILES)) | xargs -P $(JOBS) -I FILE \
	  clang-tidy --quiet FILE -- -std=c17 $(CPPFLAGS) $(PKG_CFLAGS)
	@set -e; for f in $(call sources,$(ENGINE_FOLDERS)); do \
	  gcc -std=c17 -O2 -fanalyzer -Werror $(CPPFLAGS) $(PKG_CFLAGS) -c $$f -o /dev/null; done
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --error-exitcode=1 --suppress=missingIncludeSystem -Iinclude -Isrc \
	  --library=tools/cppcheck.cfg src
format:
	clang-format -i $(ALL_FILES)
