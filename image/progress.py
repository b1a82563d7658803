"""What a person sees of long work: a live line for each step on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from image.findings import printable


class Step:
    """A step that runs. Its detail changes as it goes on."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def update(self, detail: str) -> None:
        """Say what the step is at, in a few words."""
        self.detail = printable(detail)

    def __rich__(self) -> Spinner:
        text = Text.assemble(f"{self.title}  ", (f"{self.elapsed:4.0f} s  ", "dim"), (self.detail, "cyan"))
        text.no_wrap, text.overflow = True, "ellipsis"
        return Spinner("dots", text)


class Progress:
    """Shows steps one after another on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step until the block ends; then a line with its time and last detail stays."""
        step = Step(title)
        if not self.console.is_terminal:
            self.console.print(f"{title} …", markup=False, soft_wrap=True)
        done = False
        try:
            if self.console.is_terminal:
                with Live(step, console=self.console, refresh_per_second=4, transient=True):
                    yield step
            else:
                yield step
            done = True
        finally:
            mark = Text("✓ ", "green") if done else Text("✗ ", "red")
            line = Text.assemble(mark, title, (f"  {step.elapsed:.1f} s", "dim"), f"  {step.detail}")
            self.console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        """Show one line that stays."""
        self.console.print(printable(text), markup=False, soft_wrap=True)


def size(count: int) -> str:
    """Return a number of bytes for people: binary prefixes as IEC 80000-13 names them."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit in ("B", "KiB") else f"{value:.1f} {unit}"
