# patroni.sh: two nodes of Patroni's with etcd, on one machine; a switchover and
# failovers while permits change and messages go out.

. "$here/lib/machine.sh"

prepare() { machine_prepare patroni python3-etcd etcd-server; }

check() { machine_check patroni_nodes; }
