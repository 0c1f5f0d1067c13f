# SPDX-License-Identifier: Apache-2.0
# GNU make. A new .c file needs no edit here: folders are read with wildcards.
#
#   make                 programs and libraries in $(BUILD)/
#   make check           everything that can be tested here, under the sanitizers
#   make check-clients   clients from the npm registry; make demo: a tour on loopback
#   make check-web       the page in headless Chromium
#   make check-deb       the Debian packages, and a newcomer's minute between two machines
#   make check-net       nodes on machines made of network namespaces; needs root
#   make build/test/test_vv ONLY="base causal"    one unit test from some folders alone
#   make sim SEED=7      one random history; SEEDS=500: that many; neither: named ones
#   make soak [MINUTES=2 SEED=n]   three daemons, killed and paused, and what they acknowledged
#   make planted         known bugs are planted into a copy; the simulator must find each
#
# Variables: BUILD, CC, SAN=address,undefined, WERROR=0, ONLY, PREFIX, LIBDIR, DESTDIR,
# FUZZ_SECONDS, V=1 (show commands).

VERSION := 0.1.0
BUILD   ?= build
SAN     ?=
WERROR  ?= 1
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 20
ifeq ($(origin CC),default)
CC := gcc
endif
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)' '$(patsubst $(BUILD)/%,%,$@)';)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

# ---- folders by floor (tools/floors.tab says who may include whom)
CRDT_FOLDERS   := base causal crdt
ENGINE_FOLDERS := $(CRDT_FOLDERS) bucket folder ledger objects node
LIB_FOLDERS    := $(ENGINE_FOLDERS) store dataset lang posix face client driver
PROG_FOLDERS   := daemon cli
ifneq ($(ONLY),)
CRDT_FOLDERS   := $(filter $(ONLY),$(CRDT_FOLDERS))
ENGINE_FOLDERS := $(filter $(ONLY),$(ENGINE_FOLDERS))
LIB_FOLDERS    := $(filter $(ONLY),$(LIB_FOLDERS))
PROG_FOLDERS   := $(filter $(ONLY),$(PROG_FOLDERS))
endif

# ---- packages: needed ones, and optional ones with the files that go without them
pkg_exists = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)
NEEDED  := lmdb libuv libssl libcrypto inih jansson
OPTIONAL := lua=lua5.4 http=libmicrohttpd zstd=libzstd s3=expat sqlite=sqlite3
FOUND   := $(foreach o,$(OPTIONAL),$(if $(call pkg_exists,$(lastword $(subst =, ,$(o)))),$(o)))
part     = $(firstword $(subst =, ,$(1)))
HAVE    := $(foreach o,$(FOUND),$(call part,$(o))) \
           $(if $(wildcard /usr/include/rados/librados.h),rados)
MISSING := $(filter-out $(HAVE),rados $(foreach o,$(OPTIONAL),$(call part,$(o))))
PKGS    := $(NEEDED) $(foreach o,$(FOUND),$(lastword $(subst =, ,$(o))))
# Files named like a missing part (src/*/lua.c, src/*/lua_x.c) are left out.
SKIPPED := $(foreach o,$(MISSING),$(wildcard src/*/$(o).c src/*/$(o)_*.c))

sources = $(filter-out $(SKIPPED),$(sort $(foreach f,$(1),$(wildcard src/$(f)/*.c))))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CRDT_OBJ   := $(call objects,$(call sources,$(CRDT_FOLDERS)))
ENGINE_OBJ := $(call objects,$(call sources,$(ENGINE_FOLDERS)))
LIB_OBJ    := $(call objects,$(call sources,$(LIB_FOLDERS)))
CLIENT_OBJ := $(call objects,$(call sources,base client) src/posix/dirs.c src/posix/why.c)
PROG_OBJ   := $(filter-out %/main.o,$(call objects,$(call sources,$(PROG_FOLDERS))))

# ---- flags
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(if $(filter rados,$(HAVE)),-lrados)
WARN := -pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow \
        -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wundef \
        -Wvla -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough
ifeq ($(findstring clang,$(CC)),)
WARN += -Wlogical-op -Wduplicated-cond -Wjump-misses-init
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif
CPPFLAGS += -Iinclude -Isrc -D_GNU_SOURCE -DRJ_VERSION='"$(VERSION)"' \
            $(foreach o,$(HAVE),-DRJ_HAVE_$(o)=1)
CFLAGS  ?= -O2 -g
HARDEN  := -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS = -std=c17 $(WARN) $(CFLAGS) $(HARDEN) $(SANFLAGS) -fPIC -fvisibility=hidden \
             -ffunction-sections -pthread $(CPPFLAGS) $(PKG_CFLAGS)
LINK = $(CC) $(CFLAGS) $(SANFLAGS) -pthread $(LDFLAGS) -Wl,-z,relro,-z,now -Wl,--as-needed
LIBS = $(PKG_LIBS) $(LDLIBS)

# ---- what is made
PROGRAMS := $(if $(wildcard src/cli/main.c),$(BUILD)/rejoin) \
            $(if $(wildcard src/daemon/main.c),$(BUILD)/rejoind)
LIB_NAMES := librejoin librejoin-client librejoin-crdt
LIBRARIES := $(LIB_NAMES:%=$(BUILD)/%.a)
ifeq ($(SAN),)
LIBRARIES += $(LIB_NAMES:%=$(BUILD)/%.so.0) $(LIB_NAMES:lib%=$(BUILD)/%.pc)
endif
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c examples/*/*.c))
BENCHES  := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
UNIT     := $(filter-out $(foreach o,$(MISSING),$(BUILD)/test/test_$(o)%), \
              $(patsubst test/unit/%.c,$(BUILD)/test/%,$(wildcard test/unit/test_*.c)))
FUZZ     := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))
TOOL_DIRS := $(filter-out unit fuzz cli net,$(patsubst test/%/main.c,%,$(wildcard test/*/main.c)))
TOOLS    := $(addprefix $(BUILD)/test/,$(TOOL_DIRS))
SUPPORT  := $(call objects,$(wildcard test/unit/support/*.c))
MAN      := $(if $(shell command -v scdoc),$(patsubst doc/man/%.scd,$(BUILD)/man/%,$(wildcard doc/man/*.scd)))

.PHONY: all test-tools demo check check-clients check-net check-zfs check-web check-deb sim \
        soak planted bench lint fuzz \
        format install install-python uninstall clean FORCE fuzz-programs bench-programs engine
all: $(LIBRARIES) $(PROGRAMS) $(EXAMPLES) $(MAN)
	$(if $(strip $(SKIPPED)),@echo 'left out for want of their libraries: $(SKIPPED)')
test-tools: $(UNIT) $(TOOLS) $(addprefix $(BUILD)/test/,$(FUZZ))
bench-programs: $(BENCHES)
engine: $(BUILD)/engine.o

# A change of flags, or of the list of files, makes what depends on it again.
stamp = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@
$(BUILD)/flags: FORCE
	$(call stamp,$(subst ','\'',$(CC) $(ALL_CFLAGS) $(LINK) $(LIBS)))
$(BUILD)/list: FORCE
	$(call stamp,$(patsubst $(BUILD)/%,%,$(LIB_OBJ) $(PROG_OBJ)))

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) $(EXTRA) -MMD -MP -c $< -o $@
GLIB := $(if $(call pkg_exists,glib-2.0),glib-2.0) # a host's loop, for tests
$(BUILD)/obj/test/%.o: EXTRA := -Itest -Itest/unit -Wno-missing-prototypes \
  $(if $(GLIB),-DRJ_HAVE_glib=1 $(shell pkg-config --cflags-only-I $(GLIB) | sed 's/-I/-isystem /g'))
$(BUILD)/obj/src/daemon/http_web.o: $(wildcard src/daemon/page/*)
# librejoin-crdt is to be small: what most changes and joins do not run through is so.
SELDOM := rebase recon recon_range recon_message recon_common watch watch_seq lazy retire \
          guard forget
$(SELDOM:%=$(BUILD)/obj/src/crdt/%.o): EXTRA := $(if $(findstring -O2,$(CFLAGS)),-Os)
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

archive = $(call say,AR) rm -f $@ && ar rcs $@ $(1)
# A library of some objects; shared, it exports what its map names, and leaves out what
# nothing exported needs.
define library
$(BUILD)/$(1).a: $(2) $(BUILD)/list
	$$(call archive,$(2))
$(BUILD)/$(1).so.0: $(2) src/$(1).map $(BUILD)/list
	$$(call say,LD) $$(LINK) -shared -Wl,-soname,$$(@F),--no-undefined \
	  -Wl,--gc-sections -Wl,--version-script=src/$(1).map -o $$@ $(2) $(3)
	@ln -sf $$(@F) $(BUILD)/$(1).so
endef
$(eval $(call library,librejoin,$(LIB_OBJ),$(LIBS)))
$(eval $(call library,librejoin-client,$(CLIENT_OBJ)))
$(eval $(call library,librejoin-crdt,$(CRDT_OBJ)))
# The parts of the programs, for their tests.
$(BUILD)/programs.a: $(PROG_OBJ) $(BUILD)/list
	$(call archive,$(PROG_OBJ))
# Floors 0 to 4 joined, for tools/floors.
$(BUILD)/engine.o: $(ENGINE_OBJ) $(BUILD)/list
	$(call say,LD) ld -r -o $@ $(ENGINE_OBJ)
$(BUILD)/%.pc: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR:$(PREFIX)/%=$${prefix}/%)' \
	  'includedir=$${prefix}/include' '' 'Name: $*' \
	  'Description: data that stays the same on machines that come and go' \
	  'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -l$*' \
	  'Requires.private: $(if $(filter rejoin,$*),lmdb libuv libssl libcrypto)' >$@

program = $(call say,LD) mkdir -p $(@D) && $(LINK) -pie -o $@ $(1) $(LIBS)
$(BUILD)/rejoin: $(call objects,src/cli/main.c) $(BUILD)/programs.a $(BUILD)/librejoin.a
	$(call program,$^)
$(BUILD)/rejoind: $(call objects,src/daemon/main.c) $(BUILD)/programs.a $(BUILD)/librejoin.a
	$(call program,$^)
$(EXAMPLES): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/librejoin.a
	$(call program,$^)
$(BENCHES): $(BUILD)/%: $(BUILD)/obj/%.o $(BUILD)/librejoin.a
	$(call program,$^ $(shell pkg-config --libs libcbor 2>/dev/null))

# ---- tests: every allocation goes through test/unit/support/fail_alloc.c
WRAP := -Wl,-u,__wrap_malloc $(foreach f,malloc calloc realloc free strdup strndup,-Wl,--wrap=$(f))
TESTED = $(if $(PROG_OBJ),$(BUILD)/programs.a) $(BUILD)/librejoin.a
$(BUILD)/support.a: $(SUPPORT)
	$(call archive,$(SUPPORT))
$(UNIT): $(BUILD)/test/%: $(BUILD)/obj/test/unit/%.o $(BUILD)/support.a $(TESTED)
	$(call program,$(WRAP) $^ -lcmocka $(if $(GLIB),$(shell pkg-config --libs $(GLIB))))
define tool_rule
$(BUILD)/test/$(1): $(call objects,$(wildcard test/$(1)/*.c)) $(TESTED)
	$$(call program,$$^)
endef
$(foreach d,$(TOOL_DIRS),$(eval $(call tool_rule,$(d))))
$(addprefix $(BUILD)/test/,$(FUZZ)): $(BUILD)/test/%: $(BUILD)/obj/test/fuzz/%.o \
        $(BUILD)/obj/test/fuzz/replay.o $(TESTED)
	$(call program,$^)

# Packages first, then a make that sees them; engine and libraries once without sanitizers,
# for their symbols and to be installed; everything else with them.
check:
	@tools/deps build test
	@$(SUBMAKE) BUILD=$(BUILD) SAN= all engine $(BUILD)/test/sim
	@$(SUBMAKE) BUILD=$(BUILD)/san SAN=$(or $(SAN),address,undefined) all test-tools
	@tools/run-tests $(BUILD)
check-clients: all
	@tools/deps build test clients && BUILD=$(BUILD) test/clients/run
check-net:
	@tools/deps build net
	@$(SUBMAKE) all && test/net/run $(BUILD)
check-zfs:
	@test -x test/zfs/run || { echo 'check-zfs: test/zfs/run is not there'; exit 1; }
	@$(SUBMAKE) all && test/zfs/run $(BUILD)
# The page in a real browser; its picture is kept for the README.
check-web:
	@tools/deps build test web
	@$(SUBMAKE) all && BUILD=$(BUILD) test/web/41-page.sh
# As root; the system's own packages are left as they are, but for those of tools/deps.
check-deb:
	@if [ "$$(id -u)" = 0 ]; then tools/deps build deb; fi
	@BUILD=$(BUILD) test/deb/run
demo:
	@tools/deps build demo
	@$(SUBMAKE) all && BUILD=$(BUILD) tools/demo
sim:
	@$(SUBMAKE) $(BUILD)/test/sim
	$(BUILD)/test/sim $(if $(SEED),seed $(SEED),$(if $(SEEDS),random $(SEEDS),named))
soak: all
	test/soak/soak.py $(BUILD) $(or $(MINUTES),2) $(or $(SEED),$(shell date +%s))
planted:
	@tools/deps build
	test/sim/plant.sh
bench:
	@tools/deps build bench
	@$(SUBMAKE) all bench-programs && BUILD=$(BUILD) bench/run

include tools/lint.mk    # fuzz, lint, format
include tools/install.mk # install, install-python, uninstall
clean:
	rm -rf $(BUILD)
