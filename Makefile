# Homeward: `make` builds build/homeward. `make check` runs unit and flow tests, `make asan` the same under ASan and
# UBSan, `make sim` the simulator, `make lint` proves warnings (gcc and clang), static analysis, layering and formatting. scripts/test does
# all of it. `make fuzz` and `make coverage` are for when parsers change.
#
# A variant of the build lives in a folder of its own: `make BUILD=build/asan SANITIZE=address,undefined`.
BUILD ?= build
SANITIZE ?=
ifeq ($(origin CC),default)
CC = gcc
endif
QUIET = $(if $(V),,@echo "  $@";)
PACKAGES = libuv openssl libcares libconfig libmnl libseccomp

# What only some names or one verifier need is compiled in when it is found; `make WITHOUT="idn2 ldap"` leaves it out.
# has NAME COMMAND: the command says whether it is there.
WITHOUT ?=
has = $(if $(filter $(1),$(WITHOUT)),,$(shell $(2) >/dev/null 2>&1 && echo yes))
HAS_UNISTRING := $(call has,unistring,echo '\#include <uninorm.h>' | $(CC) -E -x c -)
HAS_IDN2 := $(call has,idn2,pkg-config --exists libidn2)
HAS_CRYPT := $(call has,crypt,pkg-config --exists libxcrypt)
HAS_CURL := $(call has,curl,pkg-config --exists libcurl)
HAS_JANSSON := $(call has,jansson,pkg-config --exists jansson)
HAS_LDAP := $(call has,ldap,pkg-config --exists ldap lber)
PACKAGES += $(if $(HAS_IDN2),libidn2) $(if $(HAS_CRYPT),libxcrypt)
# Libraries that the auth process opens by itself when a verifier needs them (auth/verifiers/library.h): their headers only.
OPENED = $(if $(HAS_CURL),libcurl) $(if $(HAS_JANSSON),jansson) $(if $(HAS_LDAP),ldap lber)
LDAP_LIBRARY := $(if $(HAS_LDAP),$(shell objdump -p $$(pkg-config --variable=libdir ldap)/libldap.so | awk '/SONAME/ { print $$2 }'))
EXTRA_CPPFLAGS = $(if $(LDAP_LIBRARY),-DHOMEWARD_LDAP_LIBRARY='"$(LDAP_LIBRARY)"') $(foreach each,UNISTRING IDN2 CRYPT CURL JANSSON LDAP,$(if $(HAS_$(each)),-DHOMEWARD_HAS_$(each)))
EXTRA_LDLIBS = $(if $(HAS_UNISTRING),-lunistring)

OPTIMIZE ?= -O2 -g
WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
           -Wformat=2 -Wwrite-strings -Wundef
HARDENING = -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
FORTIFY = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LINKING = -pie -Wl,-z,relro,-z,now,-z,noexecstack

ifneq ($(SANITIZE),)
OPTIMIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
FORTIFY =
EXTRA_CPPFLAGS += -DHOMEWARD_SANITIZED
endif

VERSION = 0.1
ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DHOMEWARD_VERSION='"$(VERSION)"' $(FORTIFY) $(shell pkg-config --cflags $(PACKAGES) $(OPENED)) \
               $(EXTRA_CPPFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 $(OPTIMIZE) $(WARNINGS) $(HARDENING) $(CFLAGS)
ALL_LDLIBS = $(shell pkg-config --libs $(PACKAGES)) $(EXTRA_LDLIBS) -lpthread $(LDLIBS)

SOURCES := $(sort $(wildcard proxy/*.c proxy/*/*.c config/*.c auth/*.c auth/*/*.c backends/*.c backends/*/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
PARTS := $(filter-out $(BUILD)/proxy/main.o,$(OBJECTS))
UNIT_TESTS := $(patsubst test/unit/%.c,$(BUILD)/test/%,$(wildcard test/unit/test_*.c))

.PHONY: all unit replay fuzz fuzz-targets encoders sim mutants coverage flow e2e hostile ipsec package-test bench bench-accounts endurance check asan build-asan build-tests lint format man clean
all: $(BUILD)/homeward $(BUILD)/homewardctl

$(BUILD)/homeward: $(OBJECTS)
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

# jansson reads JSON and libmicrohttpd speaks HTTP, which only homewardctl has to.
CTL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard ctl/*.c)))
$(BUILD)/homewardctl: $(CTL_OBJECTS) $(BUILD)/parts.a
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs jansson libmicrohttpd) $(ALL_LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Every unit test links the whole house but main: the linker takes what it needs from the archive.
$(BUILD)/parts.a: $(PARTS)
	@rm -f $@
	$(QUIET)$(AR) qcs $@ $^

$(BUILD)/test/%: $(BUILD)/test/unit/%.o $(BUILD)/parts.a
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ -lcmocka $(ALL_LDLIBS)

.PRECIOUS: $(BUILD)/%.o
FUZZ_NAMES := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(BUILD)/fuzz/%)
REPLAYS = for name in $(FUZZ_NAMES); do echo "$(BUILD)/fuzz/$$name test/fuzz/seeds/$$name && $(BUILD)/fuzz/$$name --random 20000"; done
unit: $(UNIT_TESTS) $(FUZZ_TARGETS)
	@{ printf '%s\n' $(UNIT_TESTS); $(REPLAYS); } | scripts/at-once

# Fuzz targets (test/fuzz/fuzz.h). Here they play their seeds, and some random bytes; `make fuzz` has libFuzzer look for
# more, FUZZ_SECONDS shared by all of them, in a build of its own.
FUZZ_SECONDS ?= 120
HAS_LIBFUZZER := $(findstring fuzzer,$(SANITIZE))
FUZZ_SHARED = $(addprefix $(BUILD)/test/fuzz/,stream.o $(if $(HAS_LIBFUZZER),entry.o,replay.o))
$(BUILD)/fuzz/%: $(BUILD)/test/fuzz/fuzz_%.o $(FUZZ_SHARED) $(BUILD)/parts.a
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) $(if $(HAS_LIBFUZZER),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(BUILD)/parts.a -ljansson $(ALL_LDLIBS)

fuzz-targets: $(FUZZ_TARGETS)

replay: $(FUZZ_TARGETS)
	@{ $(REPLAYS); } | scripts/at-once

# What is written is read back: ten million random strings for each encoder.
ENCODERS = base64 forwarded imap_write proxy_protocol sasl
encoders: $(ENCODERS:%=$(BUILD)/fuzz/%)
	@for name in $(ENCODERS); do $(BUILD)/fuzz/$$name --random 10000000 || exit 1; done

fuzz: encoders
	@$(MAKE) --no-print-directory BUILD=build/libfuzzer CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz-targets
	scripts/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

# The simulator (test/sim/sim.h): the real front in a world made of a seed. SEED=n replays one world.
SIM_SESSIONS ?= 1000000
SIM_FROM ?= 1
SIM_LTO = $(if $(SANITIZE)$(findstring clang,$(CC)),,-flto=2)
SIM_WRAPS = $(SIM_LTO) -Wl,--wrap=close,--wrap=send,--wrap=shutdown,--wrap=socket,--wrap=connect,--wrap=getsockopt,--wrap=getpeername,--wrap=getsockname
SIM_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/sim/*.c))
$(BUILD)/fuzz/session: $(filter-out %/main.o,$(SIM_OBJECTS))
$(BUILD)/fuzz/session: LDFLAGS += $(SIM_WRAPS)
$(SIM_OBJECTS): CFLAGS += -O3 $(SIM_LTO)
$(BUILD)/sim: $(SIM_OBJECTS) $(BUILD)/parts.a
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) $(SIM_WRAPS) -o $@ $^ $(ALL_LDLIBS)

sim: $(BUILD)/sim
	@$(BUILD)/sim --sessions $(SIM_SESSIONS) --from $(SIM_FROM) --jobs 2

# Does the simulator notice mistakes? They are put in one by one.
mutants:
	scripts/mutants

# Lines that unit tests and seeds reach, counted by gcov in a build of its own.
COVERAGE = BUILD=build/coverage OPTIMIZE="-O0 -g --coverage" FORTIFY=
coverage:
	@find build/coverage -name '*.gcda' -delete 2>/dev/null; true
	@$(MAKE) --no-print-directory $(COVERAGE) build-tests
	@$(MAKE) --no-print-directory $(COVERAGE) unit > build/coverage/unit.log 2>&1 || { cat build/coverage/unit.log; exit 1; }
	scripts/coverage build/coverage

# The system's Python and pytest, whatever else stands in PATH.
PYTEST = HOMEWARD=$(abspath $(BUILD)/homeward) /usr/bin/python3 -B -m pytest -c test/pytest.ini --rootdir=.
# More tests at a time than there are processors, where they mostly wait and measure nothing (test/conftest.py).
SIDE_BY_SIDE = -n 5
flow: all
	@$(PYTEST) -n 4 test/flow $(AGAIN)

e2e: all
	@$(PYTEST) $(SIDE_BY_SIDE) test/e2e $(AGAIN)

ipsec: all
	@$(PYTEST) -rs test/ipsec $(AGAIN)

# Programs that benches and endurance tests are driven with; no part of the product.
BENCH_SHARED = $(addprefix $(BUILD)/test/bench/,link.o pattern.o tls.o)
bench: $(BUILD)/bench/store $(BUILD)/bench/load $(BUILD)/bench/delay

$(BUILD)/bench/store: $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/bench/store*.c)) $(BENCH_SHARED)
$(BUILD)/bench/load: $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/bench/load*.c)) $(BENCH_SHARED)
$(BUILD)/bench/delay: $(BUILD)/test/bench/delay.o
$(BUILD)/bench/%:
	@mkdir -p $(@D)
	$(QUIET)$(CC) $(ALL_CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

# Put before Homeward, it makes allocations and system calls fail.
$(BUILD)/hostile/shim.so: test/hostile/shim.c
	@mkdir -p $(@D)
	$(QUIET)$(CC) -std=gnu17 -O2 -g -D_GNU_SOURCE $(WARNINGS) -fPIC -shared -o $@ $<

hostile: all $(if $(SANITIZE),,$(BUILD)/hostile/shim.so)
	@$(PYTEST) $(SIDE_BY_SIDE) test/hostile $(AGAIN)

# A million accounts in a file: loading, looking up; and that hashing passwords slows nobody's mail.
$(BUILD)/bench/accounts: $(BUILD)/test/bench/accounts.o $(BUILD)/parts.a
bench-accounts: all $(BUILD)/bench/accounts
	@$(BUILD)/bench/accounts
	@HOMEWARD=$(abspath $(BUILD)/homeward) /usr/bin/python3 -B test/bench/accounts.py

# Two at a time: what waits beside what works.
endurance: $(BUILD)/homeward bench
	@BENCH=$(abspath $(BUILD)/bench) $(PYTEST) -n 2 test/endurance $(AGAIN)

# Builds, installs, upgrades and removes the Debian package in a clean root, and boots that under a real systemd in User Mode
# Linux: needs root, debootstrap and a mirror; five minutes.
package-test: all
	@$(PYTEST) test/package

check: unit flow

ASAN = BUILD=build/asan SANITIZE=address,undefined
asan: build-asan
	@$(MAKE) --no-print-directory $(ASAN) check sim SIM_SESSIONS=4000

build-asan:
	@$(MAKE) --no-print-directory $(ASAN) build-tests

build-tests: all $(UNIT_TESTS) fuzz-targets $(BUILD)/sim

# homeward.cfg(5) is made from the program's own table of options, so it cannot lag behind.
man: $(addprefix $(BUILD)/man/,homeward.cfg.5 homeward.map.5 homeward-accounts.7 homeward-ipsec.7 homeward.8 homewardctl.1)
$(BUILD)/man/%: man/%
	@mkdir -p $(@D)
	@cp $< $@
$(BUILD)/man/homeward.cfg.5: man/homeward.cfg.5.in $(BUILD)/homeward
	@mkdir -p $(@D)
	@$(BUILD)/homeward --manual > $@.options
	@sed -e '/^@OPTIONS@$$/{r $@.options' -e 'd}' $< > $@ && rm $@.options

# make install DESTDIR=…: into the places of a Debian system. The configuration is only put where there is none.
prefix ?= /usr
sysconfdir ?= /etc
DESTDIR ?=
INSTALL = install -D -m
.PHONY: install
install: all man
	$(INSTALL) 755 $(BUILD)/homeward $(DESTDIR)$(prefix)/sbin/homeward
	$(INSTALL) 755 $(BUILD)/homewardctl $(DESTDIR)$(prefix)/bin/homewardctl
	$(INSTALL) 755 scripts/popmap $(DESTDIR)$(prefix)/share/homeward/popmap
	install -d $(DESTDIR)$(prefix)/share/bash-completion/completions
	$(BUILD)/homewardctl --completion > $(DESTDIR)$(prefix)/share/bash-completion/completions/homewardctl
	for section in 1 5 7 8; do for page in $(BUILD)/man/*.$$section; do \
		$(INSTALL) 644 $$page $(DESTDIR)$(prefix)/share/man/man$$section/$$(basename $$page) || exit 1; done; done
	$(INSTALL) 644 config/homeward.cfg.sample $(DESTDIR)$(prefix)/share/doc/homeward/homeward.cfg.sample
	$(INSTALL) 644 README.md $(DESTDIR)$(prefix)/share/doc/homeward/README.md
	$(INSTALL) 644 dist/homeward.service $(DESTDIR)/lib/systemd/system/homeward.service
	$(INSTALL) 644 dist/homeward-metrics.service $(DESTDIR)/lib/systemd/system/homeward-metrics.service
	for file in homeward.socket no-privileges.conf with-ipsec.conf; do \
		$(INSTALL) 644 dist/$$file $(DESTDIR)$(prefix)/share/doc/homeward/$$file || exit 1; done
	$(INSTALL) 644 share/alerts.yml $(DESTDIR)$(prefix)/share/homeward/alerts.yml
	$(INSTALL) 644 dist/homeward.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/homeward.conf
	$(INSTALL) 644 dist/homeward.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/homeward.conf
	$(INSTALL) 644 dist/homeward.logrotate $(DESTDIR)$(sysconfdir)/logrotate.d/homeward
	$(INSTALL) 644 dist/fail2ban/homeward.conf $(DESTDIR)$(sysconfdir)/fail2ban/filter.d/homeward.conf
	for file in homeward.cfg directory.map; do test -e $(DESTDIR)$(sysconfdir)/homeward/$$file || \
		$(INSTALL) 644 dist/$$file $(DESTDIR)$(sysconfdir)/homeward/$$file || exit 1; done

# gcc's part of the warnings is the build itself.
C_FILES = $(SOURCES) $(wildcard ctl/*.c test/unit/*.c test/fuzz/*.c test/sim/*.c test/bench/*.c test/hostile/*.c test/e2e/*.c)
ALL_FILES = $(C_FILES) $(wildcard ctl/*.h proxy/*.h proxy/*/*.h config/*.h auth/*.h auth/*/*.h backends/*.h backends/*/*.h test/unit/*.h test/fuzz/*.h test/sim/*.h test/bench/*.h)
lint: build-tests bench analyze syntax pages formatting
	scripts/layering

.PHONY: syntax pages formatting cppcheck
syntax:
	@clang -fsyntax-only -std=gnu17 $(ALL_CPPFLAGS) $(WARNINGS) $(C_FILES)

pages: man
	@groff -man -ww -Tutf8 -z $(BUILD)/man/*.[1-8]

formatting:
	@clang-format --dry-run -Werror $(ALL_FILES)

# Static analysis of the product, file by file: what has been found good is looked at again when its object is made anew.
.PHONY: analyze
ANALYZED = $(addprefix $(BUILD)/analyzed/,$(SOURCES) $(wildcard ctl/*.c))
analyze: cppcheck all $(ANALYZED)
	@scripts/hardening $(BUILD)/homeward $(BUILD)/homewardctl

cppcheck:
	@scripts/analyze whole $(BUILD)/analyzed/cppcheck $(filter -D%,$(ALL_CPPFLAGS))

$(BUILD)/analyzed/%.c: %.c $(BUILD)/%.o .clang-tidy scripts/analyze
	@mkdir -p $(@D)
	$(QUIET)scripts/analyze one $< $(ALL_CPPFLAGS) && touch $@

format:
	clang-format -i $(ALL_FILES)

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(CTL_OBJECTS:.o=.d) $(wildcard $(BUILD)/test/unit/*.d $(BUILD)/test/fuzz/*.d $(BUILD)/test/sim/*.d $(BUILD)/test/bench/*.d)
