# SPDX-License-Identifier: Apache-2.0
# What goes where on a system. Folders: PREFIX, LIBDIR, below DESTDIR.

DEST := $(DESTDIR)$(PREFIX)
DEST_LIB := $(DESTDIR)$(LIBDIR)
UNITS := $(wildcard systemd/*/rejoind.*)
PYTHON_DIR := lib/python3/dist-packages
COMPLETE := bash-completion/completions/rejoin zsh/site-functions/_rejoin
$(BUILD)/man/%: doc/man/%.scd
	$(call say,MAN) mkdir -p $(@D) && scdoc <$< >$@
install: all
	install -d $(DEST)/bin $(DEST_LIB)/pkgconfig $(DEST)/include/rejoin
	$(if $(strip $(PROGRAMS)),install $(PROGRAMS) $(DEST)/bin)
	install -m 644 include/rejoin/*.h $(DEST)/include/rejoin
	install -m 644 $(filter %.a %.so.0,$(LIBRARIES)) $(DEST_LIB)
	install -m 644 $(filter %.pc,$(LIBRARIES)) $(DEST_LIB)/pkgconfig
	for l in $(LIB_NAMES); do ln -sf $$l.so.0 $(DEST_LIB)/$$l.so || exit 1; done
	@for m in $(MAN); do install -D -m 644 -t $(DEST)/share/man/man$${m##*.} $$m || exit 1; done
	@for c in $(COMPLETE); do install -d $(DEST)/share/$${c%/*} && \
	  $(BUILD)/rejoin completion $${c%%[-/]*} >$(DEST)/share/$$c || exit 1; done
	@for u in $(UNITS); do sed 's,@bindir@,$(PREFIX)/bin,' $$u | \
	  install -D -m 644 /dev/stdin $(DEST)/lib/$$u || exit 1; done
install-python:
	install -d $(DEST)/$(PYTHON_DIR)/rejoin
	install -m 644 python/rejoin/*.py $(DEST)/$(PYTHON_DIR)/rejoin
uninstall:
	rm -f $(DEST)/bin/rejoin $(DEST)/bin/rejoind $(LIB_NAMES:%=$(DEST_LIB)/%.*) \
	  $(LIB_NAMES:lib%=$(DEST_LIB)/pkgconfig/%.pc) $(addprefix $(DEST)/share/,$(COMPLETE)) \
	  $(UNITS:%=$(DEST)/lib/%)
	rm -rf $(DEST)/include/rejoin $(DEST)/$(PYTHON_DIR)/rejoin
	@for m in $(notdir $(MAN)); do rm -f $(DEST)/share/man/man$${m##*.}/$$m; done
