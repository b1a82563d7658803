"""How a request to the helper went."""

from enum import IntEnum


class Status(IntEnum):
    """How it went."""

    DONE = 0
    #: The request itself is wrong; no user's doing.
    BAD_REQUEST = 1
    #: The user has not asked for it.
    NO_TICKET = 2
    #: The bundle can't be trusted, or not be read.
    BAD_BUNDLE = 3
    #: The app was installed with another signer's bundle.
    OTHER_SIGNER = 4
    #: A later version is installed.
    OLDER = 5
    #: There is no such app, or nothing staged under that number.
    NOT_THERE = 6
    #: No space is left, or a limit has been reached.
    NO_SPACE = 7
    #: The system has failed.
    FAILED = 8
    #: This very bundle is installed.
    SAME = 9
    #: What was granted can't be read, or not be kept.
    STORE = 10
