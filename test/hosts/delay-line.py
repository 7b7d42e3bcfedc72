"""Joins two network devices by a line that delays every packet: `delay-line.py NAME_A NAME_B MILLISECONDS`.

Makes two TUN devices (Linux, Documentation/networking/tuntap.rst); either may then be moved to another network namespace. Prints `ready`
and ends with its standard input. Stands in for `tc netem`, which many kernels lack.
"""

import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def open_tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def main() -> None:
    devices = [open_tun(sys.argv[1]), open_tun(sys.argv[2])]
    delay = float(sys.argv[3]) / 1000
    # One delay for all: the order of arrival is the order of sending.
    line = collections.deque()
    print("ready", flush=True)
    while True:
        wait = max(0, line[0][0] - time.monotonic()) if line else None
        ready, _, _ = select.select([*devices, sys.stdin], [], [], wait)
        if sys.stdin in ready:
            return
        for index, device in enumerate(devices):
            for _ in range(256):
                try:
                    line.append((time.monotonic() + delay, devices[1 - index], os.read(device, 65536)))
                except (BlockingIOError, OSError):
                    break
        now = time.monotonic()
        while line and line[0][0] <= now:
            _, device, packet = line.popleft()
            try:
                os.write(device, packet)
            except OSError:
                pass  # As on a real line, a packet may be lost: the device is down or its queue is full.


main()
