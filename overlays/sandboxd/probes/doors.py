"""Try what an app must not reach, whatever it was granted: say of each address and port how a connection goes."""

import socket
import sys

for target in sys.argv[1:]:
    address, _, port = target.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=5).close()
        print(target, "open", flush=True)
    except OSError as error:
        print(target, error.strerror or error, flush=True)
# A name in clear text, past sandboxd, to a server of the Internet and to one of the local network.
query = bytes.fromhex("000101000001000000000000") + b"\4leak\4test\0" + bytes.fromhex("00010001")
for address in ("192.0.2.80", "10.0.2.3"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        try:
            udp.sendto(query, (address, 53))
            print(address, "answers" if udp.recv(512) else "", flush=True)
        except OSError as error:
            print(address, error.strerror or error, flush=True)
