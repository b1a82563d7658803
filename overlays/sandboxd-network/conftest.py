"""An app and its user, as the checks of the sandbox have them."""

from overlays.sandboxd.conftest import app, bring, installed, pack, sample, signer, tools, user

__all__ = ["app", "bring", "installed", "pack", "sample", "signer", "tools", "user"]
