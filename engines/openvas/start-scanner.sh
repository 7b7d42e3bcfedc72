#!/bin/sh
# The first process of the scanner's mount and pid namespaces: when it ends, the kernel ends all of them.
# start-scanner.sh ROOT RUN PLUGINS: ROOT is the chroot, RUN the folder of this scanner's own, PLUGINS the folder of the tests.
set -eu
root=$1 run=$2 plugins=$3
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
# What the scanner needs of root: raw sockets and low ports. It cannot mount, load modules or leave the chroot.
inside() {
  exec chroot "$root" setpriv --no-new-privs --bounding-set=-all,+net_raw,+net_bind_service,+net_admin,+setuid,+setgid,+chown,+dac_override,+fowner,+kill -- "$@"
}
(inside redis-server /run/redis.conf) &
tries=0
until [ -S "$run/run/redis.sock" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 200 ] || { echo "redis did not start" >&2; exit 1; }
  sleep 0.05
done
# ospd looks at its queue every 10 s, and waits 10 s when it takes its lock. It is alone here: a second is often enough, and the lock is free.
(inside python3 -c 'import ospd.ospd, ospd_openvas.lock
ospd.ospd.SCHEDULER_CHECK_PERIOD = 1
ospd_openvas.lock.LockFile.wait_for_lock = ospd_openvas.lock.LockFile.__enter__
from ospd_openvas.daemon import main
main()' --foreground --config /run/ospd.conf --log-config /run/no-such-file) &
daemon=$!
trap 'kill -TERM "$daemon"' TERM INT
# The shell stays the first process: it gathers the ends of the scans' processes, which ospd would leave as zombies.
while kill -0 "$daemon" 2>/dev/null; do wait "$daemon" || true; done
