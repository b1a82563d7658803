"""docs/permissions.md, made from the table of permissions."""

from tau.permissions import PERMISSIONS, UNAVAILABLE

_HEAD = """\
# What an app may ask for

A manifest names what an app may ask for; nothing else can be had. Each begins as *ask*: naming it gives the app
nothing. The network is asked for when the app first uses it, all else when it starts.

| permission | a prompt says "wants to …" | what it becomes | revoked while the app runs |
|---|---|---|---|
"""
_TAIL = """
Music, Pictures and Videos have no permission of their own: `filesystem:ro` and `filesystem:rw` are for all five
folders.

Made by `python3 -m tau.permissions_page` from the table in `overlays/sandboxd/src/tau/permissions.py`.
"""
_LEFT = {"ends": "open connections end", "stays": "what is open stays open until the app ends"}


def page() -> str:
    """Return the page as Markdown."""
    rows = [
        f"| `{each.name}` | {each.plain} | {each.becomes} | {_LEFT[each.revocation]} |\n"
        for each in PERMISSIONS.values()
    ]
    others = ", ".join(f"`{name}`" for name in sorted(UNAVAILABLE))
    return f"{_HEAD}{''.join(rows)}\nNot available on this system yet: {others}.\n{_TAIL}"


if __name__ == "__main__":
    print(page(), end="")
