#!/bin/bash
#
# run.sh [PART ...]: all tests, from an empty machine to one line that counts
# them.  Parts, in this order; without arguments all of them:
#
#	format		C files are as pgindent would have them (make format)
#	build		both modules with clang, warnings as errors (gcc builds them for
#				the parts below in any case)
#	unit		the pure parts as ordinary programs, with gcc, and with clang and
#				its address and undefined-behaviour sanitizers
#	fuzz		the same, fed with mutations; the same ones every time
#	simulator	the provider simulator against its own promises
#	regress		pg_regress, without and with the library preloaded
#	isolation	several sessions in a given order, without and with preload
#	tap			servers, workers and providers together: test/t
#
# The checkout is only read.  Everything happens in a temporary folder, with a
# private copy of the installed PostgreSQL; nothing is installed into the
# system but Debian packages.  Servers run as the caller or, if that is root,
# as postgres.  The folder stays if a test has failed.
#
# What is counted: checks of the unit tests (as each program prints them), one
# for each fuzz driver and each build, tests of the simulator, of pg_regress, of
# the isolation tester and of the TAP files.  A part that does not run to its
# end counts at least one failure.
#
# Environment: PG_CONFIG, the pg_config of the PostgreSQL to use; TAP_FILES,
# which files of test/t to run; JOBS, how many of them at one time;
# PG_TEST_TIMEOUT_DEFAULT, how long these wait for anything.
#
set -u

cd "$(dirname "$0")/.." || exit 1
started=$SECONDS
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(build format unit fuzz simulator regress isolation tap)

# Nothing of the caller's world: connections, languages, directories.
for name in $(compgen -e); do
	case $name in
	PG_CONFIG | PG_TEST_TIMEOUT_DEFAULT) ;;
	PG* | LC_* | LANGUAGE | PERL5LIB | TESTDATADIR | TESTLOGDIR | TESTDIR | MAKEFLAGS | MAKELEVEL | MFLAGS) unset "$name" ;;
	esac
done
export LANG=C.UTF-8
umask 022
# ... and no programs that the unprivileged user cannot reach
if [ "$(id -u)" -eq 0 ]; then
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
fi

total_passed=0
total_failed=0
summary=()

# heading TEXT
heading()
{
	printf '\n== %s (%d s)\n' "$1" $((SECONDS - started))
}

# count NAME PASSED FAILED: what a part has come to
count()
{
	total_passed=$((total_passed + $2))
	total_failed=$((total_failed + $3))
	summary+=("$(printf '  %-34s %6d passed %4d failed' "$1" "$2" "$3")")
}

# count_line NAME STATUS LOG: take the counts from the line "... N passed, N
# failed" that the program has printed last; none, or a bad exit status that
# the counts do not explain, is a failure.
count_line()
{
	local passed failed

	read -r passed failed < <(sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed.*/\1 \2/p' "$3" | tail -n 1)
	passed=${passed:-0}
	failed=${failed:-0}
	if [ "$failed" -eq 0 ] && { [ "$2" -ne 0 ] || [ "$passed" -eq 0 ]; }; then
		echo "$1: did not run to its end (exit status $2)"
		failed=1
	fi
	count "$1" "$passed" "$failed"
}

finish()
{
	printf '\n'
	[ ${#summary[@]} -eq 0 ] || printf '%s\n' "${summary[@]}"
	printf '  %d seconds\n' $((SECONDS - started))
	if [ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]; then
		rm -rf "$B"
	else
		printf '  logs and data are in %s\n' "$B"
	fi
	printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
	[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
	exit
}

# A short name: sockets are in it.
B=$(mktemp -d /tmp/wa_test.XXXXXX) || exit 1
mkdir -p "$B/log" "$B/home" "$B/socket" "$B/tap"
server_runs=

cleanup()
{
	if [ -n "$server_runs" ]; then
		as_user "$bin/pg_ctl" -D "$B/data" -m immediate -w stop >/dev/null 2>&1
		server_runs=
	fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# as_user COMMAND ...: as the user that may run PostgreSQL.
as_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		HOME=$B/home setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		HOME=$B/home "$@"
	fi
}

heading 'packages'
if ! test/install-packages.sh; then
	count 'packages' 0 1
	finish
fi

heading 'build with gcc, private PostgreSQL'
if ! bin=$(test/private-pg.sh "$B"); then
	count 'build with gcc' 0 1
	finish
fi
count 'build with gcc' 1 0
if [ "$(id -u)" -eq 0 ]; then
	chown -R postgres: "$B"
fi
pg_config=$bin/pg_config
"$bin/postgres" --version
src=$B/src
cd "$src" || exit 1

wanted()
{
	[[ " ${parts[*]} " == *" $1 "* ]]
}

test_format()
{
	local status

	heading 'format'
	test/format/format.pl --check
	status=$?
	count 'format' $((status == 0)) $((status != 0))
}

#
# Both modules with clang, for its warnings: they do not need its optimizer.
#
test_build()
{
	local status

	heading 'build with clang'
	cp -a "$src" "$B/clang"
	as_user make -s -C "$B/clang" PG_CONFIG="$pg_config" clean
	as_user make -s -j "$(nproc)" -C "$B/clang" PG_CONFIG="$pg_config" CC=clang with_llvm=no \
		WA_CFLAGS='-Werror -O0 -U_FORTIFY_SOURCE' all
	status=$?
	count 'build with clang' $((status == 0)) $((status != 0))
}

strict=(-std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -Wdeclaration-after-statement
	-Wmissing-prototypes -Wshadow -Isrc -Itest/unit)
sanitize=(-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)

# compile DIRECTORY COMPILER FLAG ...: all unit test programs; what they share,
# gateway/ and text/, once
compile()
{
	local to=$1
	local cc=("${@:2}" "${strict[@]}")
	local source program

	mkdir -p "$to" || return
	for source in src/text/*.c src/gateway/*.c; do
		"${cc[@]}" -c -o "$to/$(basename "$(dirname "$source")")_$(basename "$source" .c).o" "$source" || return
	done
	for program in text gateway template account feedback feedback_gateways memory; do
		"${cc[@]}" -o "$to/${program}_test" "test/unit/${program}_test.c" "$to"/*.o -ljson-c || return
	done
	for program in http http_reuse http_memory http_thread; do
		"${cc[@]}" -o "$to/${program}_test" "test/unit/${program}_test.c" src/deliver/http*.c "$to"/*.o \
			$([ $program = http_thread ] && echo -Wl,--wrap=pthread_create) -lcurl -ljson-c -lpthread || return
	done
	"${cc[@]}" -o "$to/state_test" test/unit/state_test.c src/queue/state.c &&
		"${cc[@]}" -o "$to/outcome_test" test/unit/outcome_test.c src/deliver/outcome.c src/queue/state.c &&
		cp test/unit/tls_relay.py "$to/" &&
		gcc -shared -fPIC -o "$to/slow_dns.so" test/unit/slow_dns.c -ldl
}

# The engine's thread and its owner, watched for races.  Some kernels lay out
# memory in a way that this sanitizer refuses.
compile_race()
{
	local cc=(clang -O1 -fsanitize=thread "${strict[@]}")

	mkdir -p "$1" &&
		echo 'int main(void) { return 0; }' | "${cc[@]}" -x c -o "$1/probe" - &&
		"${cc[@]}" -o "$1/http_thread_test" test/unit/http_thread_test.c src/deliver/http*.c src/text/*.c src/gateway/*.c \
			-Wl,--wrap=pthread_create -lcurl -ljson-c -lpthread
}

# run_logged NAME COMMAND ...: as the user, shown and kept
run_logged()
{
	as_user "${@:2}" 2>&1 | tee "$B/log/$1"
	return "${PIPESTATUS[0]}"
}

test_unit()
{
	local kind program

	heading 'unit tests'
	as_user_compile compile "$B/unit-gcc" gcc -O2 &
	as_user_compile compile "$B/unit-clang" clang "${sanitize[@]}" &
	wait
	if as_user_compile compile_race "$B/unit-race" && ! as_user "$B/unit-race/probe" 2>/dev/null; then
		echo 'unit http_thread, races: skipped, the sanitizer does not run here'
	else
		run_logged unit-http_thread-race "$B/unit-race/http_thread_test"
		count_line 'unit http_thread, races' $? "$B/log/unit-http_thread-race"
	fi
	for kind in gcc clang; do
		for program in text gateway template feedback feedback_gateways account state outcome memory http http_reuse http_memory http_thread; do
			if [ ! -x "$B/unit-$kind/${program}_test" ]; then
				count "unit $program, $kind" 0 1
				continue
			fi
			run_logged "unit-$program-$kind" "$B/unit-$kind/${program}_test" \
				$([ $program = text ] && echo test/unit/numbers.tsv) $([ $program = state ] && echo docs/architecture.md)
			count_line "unit $program, $kind" $? "$B/log/unit-$program-$kind"
		done
	done
}

# as_user_compile FUNCTION DIRECTORY ...: its products the user's
as_user_compile()
{
	"$@" || return
	[ "$(id -u)" -ne 0 ] || chown -R postgres: "$2"
}

test_fuzz()
{
	local name iterations sources
	local to=$B/fuzz
	local -A running

	heading 'fuzz drivers'
	mkdir -p "$to"
	for name in text gateway feedback; do
		sources=(src/text/*.c)
		iterations=100000
		if [ $name != text ]; then
			sources+=(src/gateway/*.c)
			iterations=50000
		fi
		{
			clang "${sanitize[@]}" "${strict[@]}" -DSTANDALONE -o "$to/$name" "test/fuzz/fuzz_$name.c" "${sources[@]}" -ljson-c &&
				run_logged "fuzz-$name" "$to/$name" $iterations
		} &
		running[$name]=$!
	done
	for name in text gateway feedback; do
		if wait "${running[$name]}"; then count "fuzz $name" 1 0; else count "fuzz $name" 0 1; fi
	done
}

test_simulator()
{
	heading 'provider simulator'
	run_logged simulator python3 -B test/simulator/selftest.py
	count_line 'simulator' $? "$B/log/simulator"
}

# A server for pg_regress and the isolation tester, reached through a socket
# in our folder only.  server_start PRELOAD
server_start()
{
	if [ ! -d "$B/data" ]; then
		as_user "$bin/initdb" -D "$B/data" -A trust -N -E UTF8 --locale=C.UTF-8 -U postgres >"$B/log/initdb" || return 1
		as_user tee -a "$B/data/postgresql.conf" >/dev/null <<-CONF
			listen_addresses = ''
			unix_socket_directories = '$B/socket'
			fsync = off
			max_worker_processes = 16
		CONF
	fi
	as_user "$bin/pg_ctl" -D "$B/data" -l "$B/log/server" -w -o "-c shared_preload_libraries='$1'" start >/dev/null || return 1
	server_runs=yes
}

server_stop()
{
	as_user "$bin/pg_ctl" -D "$B/data" -m fast -w stop >/dev/null
	server_runs=
}

# installcheck NAME FILES MAKE_ARGUMENT ...: the results of pg_regress, in its
# forms before and since PostgreSQL 16; FILES is how many there have to be
installcheck()
{
	local passed
	local log=$B/log/${1//[ ,]/-}

	as_user env PGHOST="$B/socket" PGUSER=postgres \
		make -s --no-print-directory PG_CONFIG="$pg_config" with_llvm=no "${@:3}" installcheck 2>&1 | tee "$log"
	passed=$(grep -cE '^(test +[^ ]+ +\.\.\. ok|ok [0-9]+ )' "$log")
	count "$1" "$passed" $(($2 - passed))
	if [ "$passed" -ne "$2" ]; then
		cat regression.diffs output_iso/regression.diffs 2>/dev/null | tee "$log.diffs"
		if grep -q '^+++ .*/names.out' "$log.diffs"; then
			echo 'names are frozen: sql/names.sql says how one is added, and what another one needs'
		fi
	fi
	rm -rf regression.diffs regression.out results output_iso
}

# test_sessions: pg_regress and the isolation tester
test_sessions()
{
	local preload with specs
	local tests=(sql/*.sql)

	specs=$(find test/isolation/specs -name '*.spec' | wc -l)
	for preload in '' sicantik_wa; do
		with=$([ -z "$preload" ] && echo without || echo with)
		if ! server_start "$preload"; then
			tail -n 20 "$B/log/server"
			count "server $with preload" 0 1
			continue
		fi
		if wanted regress; then
			heading "pg_regress $with preload"
			installcheck "regress, $with preload" ${#tests[@]} ISOLATION=
		fi
		if wanted isolation; then
			heading "isolation tests $with preload"
			installcheck "isolation, $with preload" "$specs" REGRESS=
		fi
		server_stop
	done
}

test_tap()
{
	# those that take longest begin first
	local status pgxs long=(test/t/{101,020,138,102,071,090,041,011}_*.pl)
	local files=(${TAP_FILES:-"${long[@]}" $(ls test/t/*.pl | grep -vxF "$(printf '%s\n' "${long[@]}")")})

	heading "TAP tests"
	if ! as_user "$bin/initdb" -D "$B/template" -A trust -N >"$B/log/initdb-template"; then
		count 'TAP' 0 1
		return
	fi
	pgxs=$("$pg_config" --pgxs)
	pgxs=${pgxs%/makefiles/pgxs.mk}
	as_user env PATH="$bin:$PATH" TESTDIR="$B/tap" TESTDATADIR="$B/tap/data" TESTLOGDIR="$B/tap/log" \
		CLUSTER_TEMPLATE="$B/template" PG_REGRESS="$pgxs/test/regress/pg_regress" TMPDIR="$B/tap" \
		PERL5LIB="$pgxs/test/perl:$src/test/perl" JOBS="${JOBS:-$((2 * $(nproc)))}" \
		perl -MTAP::Harness -e '
			my $all = TAP::Harness->new({ jobs => $ENV{JOBS}, timer => 1, failures => 1 })->runtests(@ARGV);
			my $failed = $all->failed;
			# a file that died, or had another number of tests than planned
			foreach my $file ($all->descriptions)
			{
				my ($one) = $all->parsers($file);
				$failed++ if $one->has_problems && !$one->failed;
			}
			my $passed = $all->passed - $all->skipped;
			printf "tap: %d passed, %d failed\n", $passed, $failed;
			exit($failed > 0);' -- "${files[@]}" 2>&1 | tee "$B/log/tap"
	status=${PIPESTATUS[0]}
	count_line "TAP, ${#files[@]} files" "$status" "$B/log/tap"
}

if wanted format; then
	test_format
fi
if wanted build; then
	test_build
fi
if wanted unit; then
	test_unit
fi
if wanted fuzz; then
	test_fuzz
fi
if wanted simulator; then
	test_simulator
fi
if wanted regress || wanted isolation; then
	test_sessions
fi
if wanted tap; then
	test_tap
fi
finish
