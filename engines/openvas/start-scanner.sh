#!/bin/sh
# The first process of the scanner's mount and pid namespaces: when it ends, the kernel ends all of them.
# start-scanner.sh ROOT RUN PLUGINS UID GID: ROOT is the chroot, RUN the folder of this scanner's own, PLUGINS the folder of the tests, UID and GID the account of engines.
set -eu
root=$1 run=$2 plugins=$3 uid=$4 gid=$5
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "$run/run" "$root/run"
mount --bind "$run/log" "$root/var/log/gvm"
mount --bind "$run/openvas.conf" "$root/etc/openvas/openvas.conf"
mount --bind "$run/openvas_log.conf" "$root/etc/openvas/openvas_log.conf"
mount --bind "$plugins" "$root/var/lib/openvas/plugins"
mount -o remount,bind,ro "$root/var/lib/openvas/plugins"
# The keys of the feed's signatures, for an account that may not read those of the chroot.
if [ -d "$root/etc/openvas/gnupg" ]; then
  cp -R "$root/etc/openvas/gnupg" "$run/gnupg"
  chown -R "$uid:$gid" "$run/gnupg"
  mount --bind "$run/gnupg" "$root/etc/openvas/gnupg"
fi
# The account of engines, in the chroot, with no capabilities but those that are named.
inside() {
  kept=$1
  shift
  exec chroot "$root" setpriv --reuid "$uid" --regid "$gid" --clear-groups --inh-caps="-all$kept" --ambient-caps="-all$kept" --bounding-set="-all$kept" --no-new-privs -- "$@"
}
(inside "" redis-server /run/redis.conf) &
tries=0
until [ -S "$run/run/redis.sock" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 200 ] || { echo "redis did not start" >&2; exit 1; }
  sleep 0.05
done
# ospd looks at its queue every 10 s, and waits 10 s when it takes its lock. It is alone here: a second is often enough, and the lock is free.
# The scanner and the Nmap that it calls send raw packets, and ask RPC services from low ports.
(NMAP_PRIVILEGED=1 inside ,+net_raw,+net_bind_service python3 -c 'import ospd.ospd, ospd_openvas.lock
ospd.ospd.SCHEDULER_CHECK_PERIOD = 1
ospd_openvas.lock.LockFile.wait_for_lock = ospd_openvas.lock.LockFile.__enter__
from ospd_openvas.daemon import main
main()' --foreground --config /run/ospd.conf --log-config /run/no-such-file) &
# A shell stays the first process: it gathers the ends of the scans' processes, which ospd would leave as zombies. All that it may still do is to end the daemon.
# It stays root's, for with another account it would lose the signal that ends it with its parent.
exec chroot "$root" setpriv --inh-caps=-all --bounding-set=-all,+kill --no-new-privs -- sh -c 'daemon=$1
trap "kill -TERM $daemon" TERM INT
while kill -0 "$daemon" 2>/dev/null; do sleep 1 & wait "$!" || true; done' sh "$!"
