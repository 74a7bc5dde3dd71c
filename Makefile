# Build, install and test sicantik_wa.
#
#   make, make install, make installcheck   as with every PGXS extension
#   make demo                               see it work (installs what it needs)
#   make demo KEEP=1                        the same, and it goes on running
#   make test                               all tests  (installs what it needs)
#   make test-chaos                         100 rounds of killing, and the audit
#   make test-soak                          half an hour of 500 messages a second, faults, webhooks and kills
#   make test-maintenance                   a minute of each tool that rewrites tables, under traffic
#   make test-oracle                        random histories against a model, ten minutes
#   make test-odoo [ODOO=14]                with the real Odoo 19 or 14, in Debian folders
#   make test-readme                        the README's five minutes, in bare Debian folders
#   make deb                                Debian packages, in deb/
#   make test-deb                           they, and the container's steps, on bare Debian folders; as root
#   make test-fuzz                          a minute of coverage-guided fuzzing for each reader of bytes from outside
#   make test-matrix                        all tests with PostgreSQL 15 to 19, in Debian folders; as root
#   make test-cassert                       all tests with a PostgreSQL built with assertions, in a Debian folder; as root
#   make test-valgrind                      some of them under valgrind, and what 100,000 messages leave in memory; as root
#   make test-static                        gcc -fanalyzer, cppcheck and clang-tidy, in a Debian folder; as root
#   make test-field                         upgrades, dumps, replicas, backups, poolers, tools that rewrite tables, in Debian folders; as root
#   make test-monitoring                    docs/monitoring with the real Prometheus, its exporter, check_postgres; as root
#   make bench                              figures
#   make reference                          docs/reference.md anew, from the comments in the database,
#                                           and the states in docs/architecture.md, from their table
#   make format                             C files as PostgreSQL's pgindent would have them
#   make coverage                           which lines of the pure parts and of the queue the tests reach
#
# Two modules: sicantik_wa is preloaded into the server and links libc and
# json-c only; sicantik_wa_worker holds src/deliver/ and links libcurl.

EXTENSION   = sicantik_wa
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

# The install script is made of the pieces beside the C code they belong to;
# the order is one of dependencies.
SQL_PARTS = src/sicantik_wa.sql src/office/setting.sql src/office/holiday.sql src/identity/identity.sql \
	src/capture/capture.sql src/route/route.sql src/route/template.sql src/route/pause.sql \
	src/compose/compose.sql src/queue/queue.sql src/queue/figure.sql src/queue/operator.sql src/compose/send.sql \
	src/compose/calendar.sql src/deliver/deliver.sql src/feedback/feedback.sql src/feedback/webhook.sql \
	src/admin/access.sql src/admin/arm.sql src/admin/admin.sql src/admin/explain.sql \
	src/admin/import.sql src/admin/privacy.sql src/admin/views.sql src/queue/stat.sql src/admin/stat_worker.sql src/admin/stat_progress.sql src/report/metrics.sql src/report/report.sql src/queue/adrift.sql src/rights.sql
# Scripts of versions that are released, and the steps to this one, made of a
# part that is written by hand and the install script (CONTRIBUTING.md, An upgrade
# step).
DATA        = $(wildcard src/upgrade/$(EXTENSION)--*.sql)
UPGRADE     = $(filter-out src/upgrade/$(EXTENSION)--%,$(wildcard src/upgrade/*--$(EXTVERSION).sql))
DATA_built  = $(EXTENSION)--$(EXTVERSION).sql $(patsubst src/upgrade/%,$(EXTENSION)--%,$(UPGRADE))
EXTRA_CLEAN = $(DATA_built) sicantik_wa_worker.so $(WORKER_OBJS) $(WORKER_OBJS:.o=.bc)

MODULE_big  = sicantik_wa
WORKER_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/deliver/*.c)))
OBJS        = $(filter-out $(WORKER_OBJS),$(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c))))
# What the two modules share is laid out by the headers: they refuse each other
# if they were built from different ones (an install over a running server).
WA_BUILD   := $(EXTVERSION)-$(shell cat src/*.h src/*/*.h src/*/*.def | cksum | cut -d ' ' -f 1)
# The stamp of the SQL objects, in the install script (wa._build()) and in the
# library: what they are, without comments.
WA_SQL_BUILD := $(shell cat $(SQL_PARTS) | awk '/^COMMENT ON/{c=1} !c&&!/^ *(--.*)?$$/{print} /; *$$/{c=0}' | cksum | cut -d ' ' -f 1)
# and the one that wa_status() shows, of all sources
WA_SOURCE_BUILD := $(EXTVERSION)-$(shell cat $(sort $(wildcard src/*.[ch] src/*/*.[ch] src/*/*.def src/*.sql src/*/*.sql)) | cksum | cut -d ' ' -f 1)
PG_CPPFLAGS = -I$(srcdir)/src -DWA_VERSION=\"$(EXTVERSION)\" -DWA_BUILD=\"$(WA_BUILD)\"
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-cast-function-type \
	$(if $(findstring clang,$(CC)),$(CLANG_FLAGS)) $(WA_CFLAGS)
# what PGXS hands on (flags, pg_config.h) is for the compiler of the server; Ubuntu's
# servers are optimized when they are linked
CLANG_FLAGS = -Wno-unknown-warning-option -Wno-ignored-optimization-argument \
	-Dgnu_printf=__printf__ -fno-lto
CLANG_LINK  = $(if $(findstring clang,$(CC)),-fno-lto)
SHLIB_LINK  = $(CLANG_LINK) -ljson-c

# make installcheck: on a running server, with or without the library
# preloaded.  The TAP tests make servers of their own: make test.
REGRESS        = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation

# Goals that come before there is a PostgreSQL: their scripts install it
# where it is missing, and leave this folder as it is.
SCRIPT_GOALS = demo test test-chaos test-soak test-maintenance test-oracle test-odoo test-readme test-fuzz test-matrix test-cassert test-valgrind test-static test-field test-monitoring deb test-deb bench reference format coverage
ifneq ($(filter-out $(SCRIPT_GOALS),$(or $(MAKECMDGOALS),all)),)

PG_CONFIG  ?= pg_config
PGXS       := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

all: sicantik_wa_worker.so

WA_STAMPS = sed 's/@WA_SQL_BUILD@/$(WA_SQL_BUILD)/; s/@EXTVERSION@/$(EXTVERSION)/'
$(EXTENSION)--$(EXTVERSION).sql: $(SQL_PARTS) $(EXTENSION).control Makefile
	@cat $(SQL_PARTS) | $(WA_STAMPS) > $@
$(EXTENSION)--%--$(EXTVERSION).sql: src/upgrade/%--$(EXTVERSION).sql src/upgrade/begin.sql src/upgrade/again.sed \
		$(SQL_PARTS) $(EXTENSION).control Makefile
	@{ sed -E -e '/^CREATE SCHEMA /r src/upgrade/begin.sql' -f src/upgrade/again.sed $(firstword $(SQL_PARTS)); \
	  sed -e '/^@INSTALL_SCRIPT@$$/,$$d' $<; \
	  cat $(wordlist 2,$(words $(SQL_PARTS)),$(SQL_PARTS)) | sed -E -f src/upgrade/again.sed; \
	  sed -n -e '/^@INSTALL_SCRIPT@$$/,$$p' $< | sed 1d; } | $(WA_STAMPS) > $@

# it carries the stamps
src/pg/build.o src/pg/build.bc: override CPPFLAGS += -DWA_SQL_BUILD=\"$(WA_SQL_BUILD)\" -DWA_SOURCE_BUILD=\"$(WA_SOURCE_BUILD)\"
src/pg/build.o src/pg/build.bc: $(sort $(wildcard src/*.[ch] src/*/*.[ch] src/*/*.def src/*.sql src/*/*.sql)) Makefile

# make coverage
ifdef WA_COVERAGE
src/queue/%.o: override CFLAGS += --coverage -fprofile-update=atomic -O0
SHLIB_LINK += --coverage
endif

sicantik_wa_worker.so: $(WORKER_OBJS)
	$(CC) $(CFLAGS) $(CFLAGS_SL) $(CFLAGS_SL_MOD) -shared -o $@ $(WORKER_OBJS) $(LDFLAGS) $(LDFLAGS_SL) $(CLANG_LINK) -lcurl

# PGXS tracks no headers
$(OBJS) $(WORKER_OBJS): $(sort $(wildcard src/*.h src/*/*.h src/*/*.def))

install: install-worker
install-worker: sicantik_wa_worker.so installdirs
	$(INSTALL_SHLIB) sicantik_wa_worker.so '$(DESTDIR)$(pkglibdir)/sicantik_wa_worker.so'
uninstall: uninstall-worker
uninstall-worker:
	rm -f '$(DESTDIR)$(pkglibdir)/sicantik_wa_worker.so'

.PHONY: install-worker uninstall-worker

endif

demo:
	test/demo/run.sh
test:
	test/run.sh
test-chaos:
	CHAOS_ROUNDS=100 TAP_FILES=test/t/076_chaos.pl test/run.sh tap
test-soak:
	TAP_FILES=test/soak/soak.pl test/run.sh tap
test-maintenance:
	MAINTENANCE_SECONDS=60 TAP_FILES=test/t/087_traffic.pl test/run.sh tap
test-oracle:
	ORACLE_SECONDS=$(or $(ORACLE_SECONDS),600) TAP_FILES=test/t/092_oracle.pl test/run.sh tap
test-odoo:
	test/odoo/run.sh $(ODOO)
test-readme:
	test/readme/run.sh
test-fuzz:
	test/fuzz/run.sh
test-matrix:
	test/matrix/run.sh
test-cassert:
	test/checked/run.sh cassert
	test/checked/run.sh discard
test-valgrind:
	test/checked/run.sh valgrind
	test/checked/run.sh growth
test-static:
	test/checked/run.sh static
test-field:
	test/field/run.sh
test-monitoring:
	test/monitoring/run.sh
deb:
	debian/deb.sh
test-deb:
	test/deb/run.sh
bench:
	test/bench/run.sh
reference:
	docs/reference.sh
	docs/states.sh
format:
	test/format/format.pl
coverage:
	test/coverage.sh

.PHONY: $(SCRIPT_GOALS)
