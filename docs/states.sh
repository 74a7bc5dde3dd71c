#!/bin/bash
#
# states.sh: draws the states of a message, and the table of their legal
# changes, in docs/architecture.md anew, from src/queue/state.c (make reference).
#
# test/unit/state_test.c draws, and compares in the tests; what stands outside
# the marks stays as it is.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d /tmp/wa_states.XXXXXX)
trap 'rm -rf "$work"' EXIT

"${CC:-cc}" -std=c11 -D_GNU_SOURCE -I"$top/src" -I"$top/test/unit" -o "$work/state_test" \
	"$top/test/unit/state_test.c" "$top/src/queue/state.c"
"$work/state_test" --draw > "$work/part"
awk '
	NR == FNR { text = text $0 "\n"; next }
	/^<!-- begin states:/ { printf "%s", text; inside = 1 }
	!inside { print }
	/^<!-- end states/ { inside = 0 }' "$work/part" "$top/docs/architecture.md" > "$work/page"
cat "$work/page" > "$top/docs/architecture.md"
