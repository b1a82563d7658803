"""Say how a connection to a host of the Internet goes, and which interfaces there are."""

import socket
import sys

with socket.socket() as connection:
    connection.settimeout(9)
    try:
        connection.connect((sys.argv[1], 443))
        print("connected")
    except OSError as error:
        print("refused:", error.strerror or error)
print(*(name for _, name in socket.if_nameindex()))
