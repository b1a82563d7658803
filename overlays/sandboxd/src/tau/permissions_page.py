"""docs/permissions.md, made from the table of permissions."""

from tau.permissions import PERMISSIONS, UNAVAILABLE

_HEAD = """\
# What an app may ask for

Made by `python3 -m tau.permissions_page` from the table in `overlays/sandboxd/src/tau/permissions.py`. A manifest names
what an app may ask for; nothing else can be had. Each begins as *ask*: naming it gives the app nothing. The network is
asked for when the app first uses it, all else when it starts.

| permission | a prompt says "wants to …" | what it becomes | revoked while the app runs |
|---|---|---|---|
"""
_LEFT = {"ends": "open connections end", "stays": "what is open stays open until the app ends"}


def page() -> str:
    """Return the page as Markdown."""
    rows = [
        f"| `{each.name}` | {each.plain} | {each.becomes} | {_LEFT[each.revocation]} |\n"
        for each in PERMISSIONS.values()
    ]
    others = ", ".join(f"`{name}`" for name in sorted(UNAVAILABLE))
    return f"{_HEAD}{''.join(rows)}\nNot available on this system yet: {others}.\n"


if __name__ == "__main__":
    print(page(), end="")
