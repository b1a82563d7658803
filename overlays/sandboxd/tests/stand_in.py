"""Run a command between `tau run`'s own streams and relay, as its app is: in a session that has what it was given.

What starts it is not the helper but a fork; the rest is the client's, as on the image.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

from tau.relay import Relay, RelayError
from tau.streams import Streams


def main(command: list[str]) -> int:
    """Run it; returns its status as `tau run` would."""
    # What is ignored stays so in the command, which could not catch it: nohup(1) before the checks, for one.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with Streams() as streams:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = streams.given
        # As in the unit: the session's first process opens its terminal.
        take = 'for n in 0 1 2; do [ ! -t $n ] || { : </dev/fd/$n; break; }; done; exec "$@"'
        child = subprocess.Popen(
            ["sh", "-c", take, "sh", *command],
            stdin=given[0],
            stdout=given[1],
            stderr=given[2],
            start_new_session=True,
        )
        streams.close_given()

        def tell() -> None:
            status = child.wait()
            theirs.send(b"%d" % (status if status >= 0 else 128 - status))
            theirs.close()

        threading.Thread(target=tell, daemon=True).start()
        try:
            return Relay(streams).run(ours, lambda: child.pid)
        except RelayError as error:
            print(error, file=sys.stderr, flush=True)
            return 125


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
