"""A TLS server as they were: SSL 3.0, RC4, Triple DES, short Diffie-Hellman. Today's TLS libraries do not speak them; tlslite-ng, in Python, does.

Gets its settings as JSON in its first argument, says `ready PORT`, and ends when its standard input is closed.
"""

import json
import socket
import sys
import threading

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

given = json.loads(sys.argv[1])
chain = X509CertChain()
chain.parsePemList(given["cert"])
key = parsePEMKey(given["key"], private=True)
settings = HandshakeSettings()
settings.minVersion, settings.maxVersion = tuple(given["minVersion"]), tuple(given["maxVersion"])
settings.cipherNames = given["ciphers"]
settings.macNames = ["sha", "md5", "sha256"]
settings.keyExchangeNames = given["keyExchanges"]
settings.useExtendedMasterSecret = given["extendedMasterSecret"]
settings.useEncryptThenMAC = False
if "dhPrime" in given:
    settings.dhParams = (2, int(given["dhPrime"], 16))


def serve(connection):
    try:
        tls = TLSConnection(connection)
        tls.handshakeServer(certChain=chain, privateKey=key, settings=settings)
        tls.read(max=1)
        tls.close()
    except Exception:  # Whatever a scanner sends: the next connection is another matter.
        pass
    finally:
        connection.close()


listener = socket.create_server(("127.0.0.1", 0), backlog=256)
print(f"ready {listener.getsockname()[1]}", flush=True)


def accept():
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
