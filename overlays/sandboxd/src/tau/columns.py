"""Lines that fit the terminal that they are shown on: a word is not taken apart at its edge."""

import os

#: Of a terminal that does not know how wide it is, a serial line, and the least that is believed of any.
_USUAL, _LEAST = 80, 20


def wrapped(text: str, stream: int, hanging: int = 0) -> str:
    """Return a paragraph in lines; as it is where `stream` is no terminal, since a program reads lines there.

    :param stream: the descriptor that it will be written to.
    :param hanging: by how many spaces what follows the first line is indented.
    """
    try:
        columns = os.get_terminal_size(stream).columns
    except OSError:
        return text
    import textwrap  # where a person reads, and not at each start of an app

    width = columns if columns >= _LEAST else _USUAL
    return textwrap.fill(text, width, subsequent_indent=" " * hanging, break_on_hyphens=False)
