"""An app and its user, as the checks of the sandbox have them."""

from overlays.sandboxd.conftest import _states, app, bring, installed, pack, sample, signer, tools, user

__all__ = ["_states", "app", "bring", "installed", "pack", "sample", "signer", "tools", "user"]
