# backup.sh: a base backup and archived WAL, restored by pgBackRest and by Barman to
# the latest and to an earlier moment, beside the original and after its end: what
# such a copy does, and who is told what.

. "$here/lib/machine.sh"

prepare() { machine_prepare pgbackrest barman rsync; }

check() { machine_check backup; }
