"""How long to wait for a guest: longer than it usually takes, and longer still where the host is slow or busy.

Under emulation a guest's speed is that of the host: what a check waits for can take five times as long on one as on
another, and on the same one an hour later. How long a boot took tells.
"""

#: Seconds that a boot takes at most on a host that is as usual: TCG, two busy cores.
USUAL = 150.0
#: What any wait is stretched by: hosts were seen to slow down to a third between a boot and a login. Whoever waits for
#: what comes waits no longer for it.
GENEROSITY = 3.0
#: The most that a wait is stretched: what does not happen must be told of at some time.
MOST = 12.0


class Patience:
    """What this process has learnt of the speed of its guests.

    :ivar slowness: how many times slower than usual they were, at least 1.
    :ivar generosity: by which all waits are stretched; 1 for whoever expects that most of them are in vain.
    """

    def __init__(self) -> None:
        self.slowness = 1.0
        self.generosity = GENEROSITY

    def learn(self, boot: float) -> None:
        """Take notice of a boot, in seconds until the system had started. The slowest one counts."""
        self.slowness = max(self.slowness, boot / USUAL)

    def of(self, timeout: float) -> float:
        """Return the seconds to wait where `timeout` would do in a machine that runs as usual."""
        return timeout * min(self.slowness * self.generosity, MOST)


#: That of this process.
patience = Patience()
