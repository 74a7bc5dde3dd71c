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
#	feedback	bodies of webhooks, as bytes
#	shapes		bodies of webhooks that stay JSON, with their members mixed up
#
# Each runs for $FUZZ_SECONDS (60), with libFuzzer under the address and
# undefined-behaviour sanitizers, from the seeds that the fuzz drivers of make test
# have; shapes makes its own changes.  What was found to reach new code is kept in
# $FUZZ_CORPUS (by default in the user's cache) and is where the next run begins.  An
# input that breaks a promise is shown, and stays there: it becomes a test.
#
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
seconds=${FUZZ_SECONDS:-60}
corpus=${FUZZ_CORPUS:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/fuzz}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(text judge health url hosts redact build params feedback shapes)

test/install-packages.sh || exit 1
work=$(mktemp -d)
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
