#!/bin/bash
#
# run.sh: coverage-guided fuzzing of what reads bytes from outside (make test-fuzz).
#
#	test/fuzz/run.sh [TARGET ...]
#
#	text		numbers, templates and their values, keywords
#	judge		a provider's answer to a message
#	health		its answer to its status call, and its list of templates
#	url			the addresses that may be asked
#	hosts		the list of allowed hosts
#	redact		secrets blotted out of any text
#	build		requests, of any text
#	params		values of a template, as the wire has them
#	template	templates to be made at a provider's
#	feedback	bodies of webhooks, as bytes
#	shapes		bodies of webhooks that stay JSON, with their members mixed up
#	settings	what an office sets: texts, links, numbers, words, a time zone
#	intervals	lengths of time, in each style of the server's
#	hours		the next opening of an office, by its hours, holidays and time zone
#
# Each runs for $FUZZ_SECONDS (60), with libFuzzer under the address and
# undefined-behaviour sanitizers, from the seeds that the fuzz drivers of make test
# have; shapes makes its own changes; of the last three, which need the server's own
# functions, the seeds are in office.seeds, and libFuzzer runs in a server for a
# single user (PG_CONFIG chooses it; no address sanitizer).  What was found to reach
# new code is kept in $FUZZ_CORPUS (by default in the user's cache) and is where the next run begins.  An
# input that breaks a promise is shown, and stays there: it becomes a test.
#
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
seconds=${FUZZ_SECONDS:-60}
corpus=${FUZZ_CORPUS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/fuzz}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(text judge health url hosts redact build params template feedback shapes settings intervals hours)

test/install-packages.sh || exit 1
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
flags=(-std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Werror -Isrc)
sanitize=address,undefined
passed=0
failed=0

# The code under test, once; each driver is linked with it.
objects()
{
	local source

	for source in src/text/*.c src/gateway/*.c; do
		echo "$source"
	done | xargs -P "$(nproc)" -I{} sh -c \
		'exec clang '"${flags[*]} -fsanitize=fuzzer-no-link,$sanitize"' -fno-sanitize-recover=all -c -o "$0/$(basename {} .c).o" {}' "$work"
}
# compile NAME DRIVER FLAG ...
compile() { clang "${flags[@]}" "${@:3}" -fno-sanitize-recover=all -o "$work/$1" "test/fuzz/$2.c" "$work"/*.o -ljson-c; }
# seeds DRIVER FOLDER
seeds()
{
	local program=$work/seeds-$1

	[ -x "$program" ] || clang -std=c11 -D_GNU_SOURCE -Isrc -DSTANDALONE -o "$program" "test/fuzz/$1.c" src/text/*.c src/gateway/*.c -ljson-c || return
	"$program" seeds "$2"
}

# A server does not run as root.
unprivileged()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		"$@"
	fi
}
# single COMMAND: in a server for a single user
single() { unprivileged "$bin/postgres" --single -D "$work/data" postgres <<<"$1"; }
# The library with libFuzzer and fuzz_office.c in it, and a database; once.
server()
{
	local config=${PG_CONFIG:-} candidate

	[ ! -d "$work/data" ] || return 0
	for candidate in $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -t / -k 5 -n -r) pg_config; do
		[ -n "$config" ] || ! [ -f "$("$candidate" --pgxs 2>/dev/null)" ] || config=$candidate
	done
	bin=$("$config" --bindir) || return
	mkdir -p "$work/tree" "$work/units"
	tar -c --exclude='*.o' --exclude='*.bc' --exclude='*.so' Makefile sicantik_wa.control src | tar -x -C "$work/tree" || return
	cp test/fuzz/fuzz_office.c "$work/tree/src/admin/"
	make -s -C "$work/tree" -j "$(nproc)" PG_CONFIG="$config" CC=clang with_llvm=no sicantik_wa.so \
		WA_CFLAGS="-Werror -O1 -g -U_FORTIFY_SOURCE -fsanitize=fuzzer-no-link,undefined -fsanitize-trap=undefined" \
		SHLIB_LINK="-fno-lto -ljson-c -Wl,--whole-archive $(clang -print-runtime-dir)/libclang_rt.fuzzer_no_main-$(uname -m).a -Wl,--no-whole-archive -lstdc++ -lm -lpthread" || return
	[ "$(id -u)" != 0 ] || chown postgres: "$work/units"
	install -d -m 700 "$work/data"
	[ "$(id -u)" != 0 ] || chown postgres: "$work/data"
	unprivileged "$bin/initdb" -D "$work/data" -A trust -N -E UTF8 --locale=C.UTF-8 >"$work/log" 2>&1 || return
	single "CREATE FUNCTION wa_fuzz_office(text) RETURNS integer AS '$work/tree/sicantik_wa.so' LANGUAGE C" >"$work/log" 2>&1
}
# in_server TARGET: whoever the server runs as cannot come into the corpus, so in a copy
in_server()
{
	local target=$1 word words="" n=0 line status=0

	server || return
	while IFS= read -r line; do
		n=$((n + 1))
		case $line in "$target "*) printf '%b' "${line#* }" >"$corpus/$target/seed-$n" ;; esac
	done <test/fuzz/office.seeds
	cp -r "$corpus/$target" "$work/units/" || return
	[ "$(id -u)" != 0 ] || chown -R postgres: "$work/units"
	for word in "$target" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=0 -max_len=1024 -print_final_stats=1 \
		"-artifact_prefix=$work/units/broken-" "$work/units/$target"; do
		words=$words$word'\n'
	done
	single "SELECT wa_fuzz_office(E'$words')" >"$work/log" 2>&1 || status=$?
	# a server says nothing of how it ended
	grep -q '^stat::number_of_executed_units' "$work/log" && ! grep -q 'SUMMARY: libFuzzer' "$work/log" || status=1
	cp -r "$work/units/$target" "$corpus/"
	for word in "$work"/units/broken-*; do
		[ ! -e "$word" ] || mv "$word" "$corpus/$target-${word##*/broken-}"
	done
	return $status
}

objects || exit 1
for target in "${targets[@]}"; do
	case $target in
		text) driver=fuzz_text ;;
		shapes) driver=fuzz_feedback ;;
		*) driver=fuzz_gateway ;;
	esac
	echo "== $target, $seconds s"
	status=0
	if [ "$target" = shapes ]; then
		clang "${flags[@]}" "-fsanitize=$sanitize" -fno-sanitize-recover=all -DSTANDALONE -o "$work/shapes" "test/fuzz/$driver.c" \
			src/text/*.c src/gateway/*.c -ljson-c || status=1
		end=$((SECONDS + seconds))
		while [ $status = 0 ] && [ $SECONDS -lt $end ]; do
			"$work/shapes" 100000 "$((RANDOM * 32768 + RANDOM + 1))" >"$work/log" 2>&1 || status=$?
		done
		tail -n 2 "$work/log"
	elif [[ $target = settings || $target = intervals || $target = hours ]]; then
		mkdir -p "$corpus/$target"
		in_server "$target" || status=$?
		grep -aE 'stat::number_of_executed_units|cov:' "$work/log" | tail -n 2
	else
		only=()
		[ "$target" = text ] || only=("-DONLY=${target^^}")
		mkdir -p "$corpus/$target"
		seeds $driver "$corpus/$target" && compile "$target" $driver "-fsanitize=fuzzer,$sanitize" "${only[@]}" || status=1
		if [ $status = 0 ]; then
			"$work/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 \
				-artifact_prefix="$corpus/$target-" "$corpus/$target" >"$work/log" 2>&1 || status=$?
			grep -E 'stat::number_of_executed_units|cov:' "$work/log" | tail -n 2
		fi
	fi
	if [ $status = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 40 "$work/log"
	fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
