## make             builds the programs in build/
## make check       builds and runs all tests; TESTS='unit/err cli/*' some of them
## make browser     installs Chromium and tests the page of a plan in it
## make demo        sends a batch and runs a plan: no key, no network
## make bench       measures against a yardstick in the same run
## make lint        layers, names, sizes, manuals, SQL plans, shell, -Werror
## make sanitize    chosen tests under ASan and UBSan, TSan, and valgrind
## make coverage    the tests with gcov: lines run, per file
## make fuzz        each fuzz target for FUZZ_SECONDS (30)
## make gallery     draws the plans in gallery/ anew
## make install     into PREFIX (/usr/local) below DESTDIR; also: uninstall
## make clean       removes what was built
##
## What a target needs is installed first if it is missing (scripts/setup).
## CC, CFLAGS, CPPFLAGS, LDFLAGS are honoured; BUILD=dir builds elsewhere,
## SAN=address,undefined or SAN=thread with a sanitizer, WERROR=1 strictly,
## V=1 shows the commands.

BUILD ?= $(if $(SAN),build-$(if $(findstring thread,$(SAN)),tsan,asan),build)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
JOBS ?= 2# tests at a time
CFLAGS ?= -O2 -g
B := $(BUILD)
Q := $(if $(V),,@)

# One goal is built on all processors; several ("clean all") one by one.
MAKEFLAGS += --no-print-directory
MAKEFLAGS += $(if $(MAKELEVEL:0=)$(word 2,$(MAKECMDGOALS)),,-j$(shell nproc))

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef $(if $(WERROR),-Werror) \
	$(if $(findstring clang,$(CC)),-Wno-string-concatenation)
HARDENING = -fPIE -fvisibility=hidden -fstack-protector-strong \
	$(if $(SAN)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)

INCLUDE = -Ilib -I$B
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE $(INCLUDE) $(WARNINGS) $(HARDENING) \
	$(CPPFLAGS) $(CFLAGS) $(SANITIZE)
LINK = $(CC) -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(CFLAGS) $(SANITIZE) $(LDFLAGS)
LIBS = -lsqlite3 -lcurl -lcjson -luuid -lxxhash -lpthread -lm
$B/fletcher-dot: private LIBS += -lgvc -lcgraph

# The directories say what is built: nothing is listed by name.
objects = $(patsubst %.c,$B/obj/%.o,$(wildcard $1))
LIB := $(call objects,lib/*/*.c)
HTTPD := $(call objects,tests/http/*.c)
PROGRAMS := $(patsubst cmd/%.c,$B/%,$(wildcard cmd/*.c))
UNIT := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/*_test.c))
BENCH := $(patsubst tests/bench/%.c,$B/tests/%,$(wildcard tests/bench/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$B/tests/%,$(wildcard tests/fuzz/*_fuzz.c))
TESTS_BUILT = $(UNIT) $(if $(HTTPD),$B/tests/httpd)
OBJECTS = $(LIB) $(HTTPD) $(call objects,cmd/*.c tests/unit/*.c tests/bench/*.c)
MANUALS := $(wildcard man/*.[157])

.PHONY: all check browser demo gallery bench lint sanitize coverage fuzz install uninstall clean help
.PHONY: tests objects fuzzers tidy FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)
tests: all $(TESTS_BUILT)
objects: $(OBJECTS)
fuzzers: $(FUZZ)

$(PROGRAMS): $B/%: $B/obj/cmd/%.o $B/libfsl.a
$(UNIT): $B/tests/%: $B/obj/tests/unit/%.o $B/obj/tests/unit/unit.o $B/libfsl.a
$B/tests/httpd: $(HTTPD) $B/libfsl.a
$(BENCH): $B/tests/%: $B/obj/tests/bench/%.o $B/libfsl.a
$(FUZZ): $B/tests/%: $B/obj/tests/fuzz/%.o $B/libfsl.a

$(PROGRAMS) $(UNIT) $(BENCH) $(FUZZ) $B/tests/httpd:
	$(if $V,,@echo LINK $@)
	@mkdir -p $(@D)
	$Q$(LINK) -o $@ $^ $(LIBS)

# The directories' own times tell of files that were removed.
$B/libfsl.a: $(LIB) $(sort $(dir $(wildcard lib/*/*.c)))
	$Qrm -f $@ && $(AR) rcs $@ $(LIB)

$B/obj/tests/%.o: INCLUDE += -Itests
$B/obj/%.o: %.c $B/.flags | $B/.setup-build
	$(if $V,,@echo CC $<)
	@mkdir -p $(@D)
	$Q$(COMPILE) -MMD -MP -c -o $@ $<

$B/obj/lib/store/schema.o: $B/schema_sql.h
$B/schema_sql.h: schema.sql scripts/embed-schema
	@mkdir -p $(@D)
	$Qscripts/embed-schema schema.sql >$@

# Everything is built again when the flags change.
$B/.flags: export FLAGS = $(COMPILE) $(LINK) $(LIBS)
$B/.flags: FORCE
	@mkdir -p $(@D)
	@echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@

# What is needed to build, test, lint, ... is installed once per build directory.
$B/.setup-%: scripts/setup
	@mkdir -p $(@D)
	$Qscripts/setup $*
	@touch $@

check: tests $B/.setup-test
	$Qscripts/run-tests -b $B -j $(JOBS) $(TESTS)

browser: tests $B/.setup-browser
	$Qscripts/run-tests -b $B 'cli/71-dot-browser'

demo: tests $B/.setup-test
	$QBUILD=$B scripts/demo

gallery: all
	$QBUILD=$B scripts/gallery

bench: all tests $(BENCH) $B/.setup-bench
	$QBUILD=$B scripts/bench

lint: tests $B/.setup-lint
	+$QMAKE='$(MAKE)' scripts/lint -b $B

sanitize: $B/.setup-sanitize
	+$QMAKE='$(MAKE)' scripts/sanitize -j $(JOBS)

coverage: $B/.setup-test
	+$QMAKE='$(MAKE)' scripts/coverage -j $(JOBS)

fuzz: $B/.setup-fuzz
	+$QMAKE='$(MAKE)' scripts/fuzz -t $(FUZZ_SECONDS)

DEST = $(DESTDIR)$(PREFIX)
install: all
	install -d $(DEST)/bin
	install $(PROGRAMS) $(DEST)/bin
	for m in $(MANUALS); do \
		install -D -m 644 $$m $(DEST)/share/man/man$${m##*.}/$${m#man/} || exit; done

uninstall:
	rm -f $(PROGRAMS:$B/%=$(DEST)/bin/%)
	for m in $(MANUALS); do rm -f $(DEST)/share/man/man$${m##*.}/$${m#man/}; done

clean:
	rm -rf build build-*
	if [ -e $B/.flags ]; then rm -rf $B; fi

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# clang's analyzer, again for what was compiled again (part of lint).  Left out
# are checks that do not see the contracts of other files, and matters of taste.
TIDY = clang-analyzer-*,-clang-analyzer-valist*,-clang-analyzer-security*,\
-clang-analyzer-core.NullDereference,bugprone-*,-bugprone-easily*,-bugprone-narrowing*,\
-bugprone-implicit*,-bugprone-sizeof-e*,-bugprone-reserved*,-bugprone-not-null*
tidy: $(patsubst %.c,$B/tidy/%,$(wildcard lib/*/*.c cmd/*.c))
$B/tidy/%: $B/obj/%.o
	$(if $V,,@echo TIDY $*.c)
	@mkdir -p $(@D)
	$Qclang-tidy --quiet --warnings-as-errors='*' --checks='-*,$(TIDY)' $*.c -- \
		-std=gnu11 -D_GNU_SOURCE $(INCLUDE) && touch $@

-include $(patsubst %.o,%.d,$(OBJECTS) $(call objects,tests/fuzz/*.c))
