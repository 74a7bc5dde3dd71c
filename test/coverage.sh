#!/bin/bash
#
# coverage.sh: which lines of src/text, src/gateway, src/deliver/http* and
# src/queue the tests reach (make coverage).  The pure parts by their unit tests
# and fuzzers, which are ordinary programs, with the sanitizers for addresses and
# undefined behaviour; src/queue by the TAP tests, with a server of its own.  Prints
# a line for each file, and a sum for each folder; gcov's listings stay in the folder
# that it names.  An error if a test fails, or less than 95 % of what is pure in a
# folder was reached.
#
# Environment: TAP_FILES, which files of test/t to run for src/queue (names in
# that folder; "none" for none).
#
set -u

cd "$(dirname "$0")/.." || exit 1
test/install-packages.sh || exit 1
B=$(mktemp -d /tmp/wa_coverage.XXXXXX) || exit 1
chmod 755 "$B"
mkdir -p "$B/pure" "$B/home" "$B/tap" "$B/gcov"
export LANG=C.UTF-8
tap=${TAP_FILES:-040_delivery 041_transport 042_held_rows 056_volume 070_fallback 072_operators 073_failover 074_shutdown
	076_chaos 079_retention 084_refusals 085_own_answer 095_ledger 098_times 058_replaced 111_feedback 113_told}

as_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		HOME=$B/home setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		HOME=$B/home "$@"
	fi
}

# objects FOLDER FLAG ...: C files of src, each an object with its notes
flags=(--coverage -fprofile-update=atomic -O0 -g -std=c11 -D_GNU_SOURCE -I"$PWD/src" -Itest/unit
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -static-libasan)
echo '== the pure parts: unit tests and fuzzers'
for file in src/text/*.c src/gateway/*.c src/deliver/http*.c src/deliver/outcome.c src/queue/state.c; do
	object=$B/pure/$(echo "${file%.c}" | tr / -).o
	gcc "${flags[@]}" -c -o "$object" "$PWD/$file" &
	[ $(($(jobs -r | wc -l))) -lt "$(nproc)" ] || wait -n
done
wait
program()
{
	local name=$1

	gcc "${flags[@]}" -o "$B/pure/$name" "${@:2}" -lcurl -ljson-c -lpthread || exit 1
}
text=("$B"/pure/src-text-*.o)
gateway=("$B"/pure/src-gateway-*.o "${text[@]}")
http=("$B"/pure/src-deliver-http*.o "${gateway[@]}")
program text_test test/unit/text_test.c "${text[@]}"
program gateway_test test/unit/gateway_test.c "${gateway[@]}"
program feedback_test test/unit/feedback_test.c "${gateway[@]}"
program feedback_gateways_test test/unit/feedback_gateways_test.c "${gateway[@]}"
program account_test test/unit/account_test.c "${gateway[@]}"
program template_test test/unit/template_test.c "${gateway[@]}"
program memory_test test/unit/memory_test.c "${gateway[@]}"
program http_test test/unit/http_test.c "${http[@]}"
program http_reuse_test test/unit/http_reuse_test.c "${http[@]}"
program http_memory_test test/unit/http_memory_test.c "${http[@]}"
program http_thread_test test/unit/http_thread_test.c "${http[@]}" -Wl,--wrap=pthread_create
program state_test test/unit/state_test.c "$B/pure/src-queue-state.o"
program outcome_test test/unit/outcome_test.c "$B"/pure/src-{deliver-outcome,queue-state}.o
program fuzz_text -DSTANDALONE test/fuzz/fuzz_text.c "${text[@]}"
program fuzz_gateway -DSTANDALONE test/fuzz/fuzz_gateway.c "${gateway[@]}"
program fuzz_feedback test/fuzz/fuzz_feedback.c "${gateway[@]}"
cp test/unit/tls_relay.py "$B/pure/"
gcc -shared -fPIC -o "$B/pure/slow_dns.so" test/unit/slow_dns.c -ldl
cp test/unit/numbers.tsv "$B/"
[ "$(id -u)" -ne 0 ] || chown -R postgres: "$B"
run()
{
	as_user "$B/pure/$1" "${@:2}" >"$B/log.$1" 2>&1 || {
		echo "$1 failed: $B/log.$1"
		failed+=" $1"
	}
}
failed=
run text_test "$B/numbers.tsv"
run state_test docs/architecture.md
run outcome_test
run gateway_test
run feedback_test
run feedback_gateways_test
run account_test
run template_test
run memory_test
run http_test
run http_reuse_test
run http_memory_test
run http_thread_test
run fuzz_text 20000
run fuzz_gateway 10000
run fuzz_feedback 10000

if [ "$tap" != none ]; then
	echo '== src/queue: TAP tests'
	bin=$(WA_COVERAGE=1 test/private-pg.sh "$B") || exit 1
	pgxs=$("$bin/pg_config" --pgxs)
	pgxs=${pgxs%/makefiles/pgxs.mk}
	files=()
	for name in $tap; do
		files+=("$B/src/test/t/${name%.pl}.pl")
	done
	(cd "$B/src" && as_user env PATH="$bin:$PATH" TESTDIR="$B/tap" TESTDATADIR="$B/tap/data" TESTLOGDIR="$B/tap/log" \
		PG_REGRESS="$pgxs/test/regress/pg_regress" TMPDIR="$B/tap" PERL5LIB="$pgxs/test/perl:$B/src/test/perl" \
		prove --timer "${files[@]}" 2>&1 | tail -n 25)
fi

# figures FOLDER OBJECT ...: from the notes and the counts beside the objects; false if
# less than $least per cent of the lines were reached
figures()
{
	local object

	for object in "${@:2}"; do
		(cd "$B/gcov" && gcov -s "$B/src" -o "$object" "$object" 2>/dev/null)
	done | awk -v folder="$1" -v least="$least" -v sums="$B/sums" -v top="$PWD/" -v built="$B/src/" '
		/^File / { file = substr($0, 7, length($0) - 7); sub("^" top, "", file); sub("^" built, "", file) }
		/^Lines executed:/ && file ~ "^src/" folder && !(file in lines) {
			split($0, part, /[:% ]+/)
			lines[file] = part[5]
			reached[file] = part[5] * part[3] / 100
			n += lines[file]
			r += reached[file]
		}
		END {
			for (file in lines)
				printf "  %-36s %5.1f %% of %4d lines\n", file, 100 * reached[file] / lines[file], lines[file] | "sort"
			close("sort")
			printf "%-38s %5.1f %% of %4d lines\n\n", folder, n ? 100 * r / n : 0, n
			print r, n >> sums
			exit n == 0 || 100 * r / n < least
		}'
}
printf '\n'
least=95 missed=
figures text/ "$B"/pure/src-text-*.o || missed+=' text/'
figures gateway/ "$B"/pure/src-gateway-*.o || missed+=' gateway/'
figures deliver/ "$B"/pure/src-deliver-*.o || missed+=' deliver/'
figures queue/state "$B"/pure/src-queue-state.o || missed+=' queue/state'
awk '{ r += $1; n += $2 } END { printf "%-38s %5.1f %% of %4d lines\n\n", "the pure parts", 100 * r / n, n }' "$B/sums"
least=0
[ "$tap" = none ] || figures queue/ "$B"/src/src/queue/*.o
echo "listings: $B/gcov"
if [ -n "$missed$failed" ]; then
	echo "of pure C less than 95 % was reached in:${missed:- none}; failed:${failed:- none}" >&2
	exit 1
fi
