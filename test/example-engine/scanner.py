"""The program behind the example: prints each address's greeting as a line of JSON, then its end marker."""
import json
import socket
import sys

port = int(sys.argv[1])
for address in sys.argv[2:]:
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            greeting = connection.recv(500).decode("utf-8", "replace").strip()
        print(json.dumps({"address": address, "greeting": greeting}), flush=True)
    except OSError as error:
        print(json.dumps({"address": address, "error": str(error)}), flush=True)
print("end", flush=True)
