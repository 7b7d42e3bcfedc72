"""What another user of the machine tries beside a running scan: its ports as proxies and as an API, its name server, its files and its processes.

Prints as JSON what came of it. The target tells by its own log whether anything got through."""

import json
import os
import socket
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

given = json.loads(sys.argv[1])
host, port, marker = "127.0.0.1", given["target"], given["marker"]


def talk(to, messages):
    """Sends one message after the other, each once something came; answers all that came."""
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", to), timeout=3) as client:
            for message in messages:
                client.sendall(message)
                got += client.recv(65536)
    except OSError:
        pass
    return got.decode("latin1")


def at_once(work, items):
    with ThreadPoolExecutor(max_workers=16) as workers:
        return list(workers.map(work, items))


def request(place, path):
    return f"GET {place}/{marker}/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()


def try_port(to):
    wanted = b"\x05\x01\x00\x01" + socket.inet_aton(host) + port.to_bytes(2, "big")
    connect = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    tries = {
        "proxy": [request(f"http://{host}:{port}", "proxy")],
        "tunnel": [connect, request("", "tunnel")],
        "socks": [b"\x05\x01\x00", wanted, request("", "socks")],
        "socks with a password": [b"\x05\x02\x00\x02", b"\x01\x08periscan\x05guess", wanted, request("", "password")],
        "api": [f"GET /JSON/core/view/messages/ HTTP/1.1\r\nHost: 127.0.0.1:{to}\r\nConnection: close\r\n\r\n".encode()],
    }
    return dict(zip(tries, at_once(lambda messages: talk(to, messages), tries.values())))


def try_name_server(to):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in given["name"].split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(query, ("127.0.0.1", to))
            return client.recv(512).hex()
        except OSError:
            return ""


def list_readable(folder):
    found = []
    for at, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(at, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode) and os.access(path, os.R_OK):
                    found.append(path)
            except OSError:
                pass
    return found


def read_processes(name):
    texts = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) != os.getpid():
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    texts.append(file.read().decode("latin1"))
            except OSError:
                pass
    return texts


print(
    json.dumps(
        {
            "ports": dict(zip(given["ports"], at_once(try_port, given["ports"]))),
            "names": dict(zip(given["udpPorts"], at_once(try_name_server, given["udpPorts"]))),
            "files": [path for folder in given["folders"] for path in list_readable(folder)],
            "environments": read_processes("environ"),
            "commands": read_processes("cmdline"),
        }
    )
)
