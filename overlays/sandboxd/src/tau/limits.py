"""Numbers that several parts agree on."""

#: Users who may have apps: people's numbers (login.defs(5): UID_MIN and UID_MAX).
FIRST_UID, LAST_UID = 1000, 60000
#: Largest manifest, in bytes.
MAX_MANIFEST = 64 * 1024
#: Largest bundle, in bytes.
MAX_BUNDLE = 8 << 30
