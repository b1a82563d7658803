"""How long to wait for a guest: as long as is asked for where it runs as usual, longer where the host is slow or busy.

Under emulation a guest's speed is that of the host: what a check waits for can take five times as long on one as on
another. How long a boot took tells.
"""

#: Seconds that a boot takes at most, where the checks' waits are long enough as they are: TCG, two busy cores.
USUAL = 150.0
#: The most that a wait is stretched: what does not happen must be told of at some time.
MOST = 6.0


class Patience:
    """What this process has learnt of the speed of its guests.

    :ivar factor: by which waits are stretched, at least 1.
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def learn(self, boot: float) -> None:
        """Take notice of a boot, in seconds until the system had started. The slowest one counts."""
        self.factor = min(max(self.factor, boot / USUAL), MOST)

    def of(self, timeout: float) -> float:
        """Return the seconds to wait where `timeout` would do in a machine that runs as usual."""
        return timeout * self.factor


#: That of this process.
patience = Patience()
