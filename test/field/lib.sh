# lib.sh: for the scripts beside it; read by run.sh, after ../debian_folder.sh.

# ok WHAT: one thing that holds
ok() { echo "ok $*"; }

# is GOT WANTED WHAT
is()
{
	[ "$1" = "$2" ] || die "$3: got '$1', wanted '$2'"
	ok "$3"
}

# wait_until WHAT COMMAND ...: until the command says t, for two minutes at most
wait_until()
{
	local what=$1 end=$((SECONDS + 120))

	shift
	until [ "$("$@" 2>/dev/null)" = t ]; do
		[ "$SECONDS" -lt "$end" ] || die "waited in vain: $what"
		read -r -t 0.2 <> <(:) || true
	done
}
