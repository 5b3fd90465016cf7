"""A run at a terminal: plain lines, and below them one bar that moves and a small plot of the loss."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .plot import Curve, draw
from .reporter import PlainReporter
from .streams import is_unicode
from .terminal import bytes_text, console, process_memory, seconds_text

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

#: Redraws a second.
RATE = 2
#: The smallest terminal that a plot is drawn in.
ROWS, COLUMNS = 20, 60
_WIDEST = 110
_BAR = (8, 32)


@dataclass(slots=True)
class Bar:
    """What the line that moves says; `about` is in the order in which it is left out, the last first."""

    name: str
    total: int
    done: int = 0
    about: list[str] = field(default_factory=list)


class LiveReporter(PlainReporter):
    """Plain lines above one bar; with `plot`, the training and validation loss below it where there is room."""

    def __init__(self, plot: bool = True) -> None:
        super().__init__()
        self._plot = plot
        self._console = console(sys.stderr)
        self._is_unicode = is_unicode(sys.stderr)
        self._live: Live | None = None
        self._bar = Bar("", 1)
        self._curve = Curve()
        self._validation: list[tuple[int, float]] = []
        self._memory = (0.0, 0)
        self._drawn: tuple[int, list[int]] = (0, [])  # the terminal's width at the last drawing, and each line's

    def say(self, text: str) -> None:
        from rich.text import Text

        head, _, tail = text.partition(" ")
        line = Text.assemble((head, "bold cyan"), " ", tail) if head.isalpha() else Text(text)
        self._console.print(line, soft_wrap=True)

    def on_phase(self, data: Any) -> None:
        self._stop()
        super().on_phase(data)
        self._curve, self._validation = Curve(), []
        self._start(data["phase"], data["steps"])

    def on_step(self, data: Any) -> None:
        self._pace.add(data)
        self._curve.add(data["step"], data["loss"])
        if self._live is None:
            return
        self._bar.done, self._bar.total = data["step"], data["steps"]
        left = seconds_text(self._pace.left(data["steps"] - data["step"]))
        about = [f"loss {data['loss']:.3f}", f"{left} left"]
        if self._validation:
            about.append(f"val {self._validation[-1][1]:.3f}")
        if self._pace.rate:
            about.append(f"{_short(self._pace.rate)} tok/s")
        if memory := data.get("memory") or self._process_memory():
            about.append(bytes_text(memory))
        self._bar.about = about

    def on_eval(self, data: Any) -> None:
        if "validation_loss" in data:
            self._validation.append((data["step"], data["validation_loss"]))

    def on_phase_end(self, data: Any) -> None:
        self._stop()
        for line in self._plot_lines():
            self._console.print(line)
        held = f", validation {data['validation_loss']:.3f}" if "validation_loss" in data else ""
        if "loss" in data:
            epoch = f" (epoch {data['epoch']})" if "epoch" in data else ""
            self.say(f"trained    {data['steps']} steps, loss {data['loss']:.3f}{held}{epoch}")

    def on_exam_progress(self, data: Any) -> None:
        if self._live is None:
            self._start("exam", data["questions"])
        self._bar.done, self._bar.total, self._bar.about = data["asked"], data["questions"], ["questions"]

    def on_exam(self, data: Any) -> None:
        self._stop()
        super().on_exam(data)

    def on_export_start(self, data: Any) -> None:
        self._stop()
        super().on_export_start(data)

    def _start(self, name: str, total: int) -> None:
        from rich.live import Live

        self._bar = Bar(name, total)
        self._live = Live(
            get_renderable=self._screen, console=self._console, refresh_per_second=RATE, transient=True, screen=False
        )
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()
            self._drawn = (0, [])

    def _screen(self) -> Text:
        """What moves, as it is now: the bar, and the plot where there is room."""
        from rich.text import Text

        lines = [bar_line(self._bar, min(self._console.width - 1, _WIDEST), self._is_unicode)]
        if self._bar.name != "exam":
            lines += self._plot_lines()
        self._allow_for_wrapped_lines()
        self._drawn = (self._console.width, [line.cell_len for line in lines])
        return Text("\n", no_wrap=True, overflow="crop", end="").join(lines)

    def _allow_for_wrapped_lines(self) -> None:
        """When the terminal became narrower it has wrapped what was drawn: that many rows are to be cleared."""
        before, lengths = self._drawn
        width = self._console.width
        region: Any = getattr(self._live, "_live_render", None)  # rich has no public way to say it
        if width < before and getattr(region, "_shape", None):
            region._shape = (width, sum(max(1, -(-length // width)) for length in lengths))

    def _plot_lines(self) -> list[Text]:
        from rich.text import Text

        if not self._plot or self._console.height < ROWS or self._console.width < COLUMNS:
            return []
        width = min(self._console.width - 1, _WIDEST)
        lines = [Text(line) for line in draw(self._curve, self._validation, width, is_unicode=self._is_unicode)]
        for line in lines[:-2]:
            line.stylize("cyan", 8)
            line.highlight_regex("[◆o]", "bold yellow")
        return lines

    def _process_memory(self) -> int:
        """This process's memory, asked for at most twice a second."""
        asked, size = self._memory
        if time.monotonic() - asked > 1 / RATE:
            size = process_memory()
            self._memory = (time.monotonic(), size)
        return size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()


def bar_line(bar: Bar, width: int, is_unicode: bool) -> Text:
    """Name, bar, count, and as much of the rest as fits into `width` columns."""
    from rich.text import Text

    count = f"{bar.done}/{bar.total}"
    about = list(bar.about)
    while about and _length(bar.name, count, about) + _BAR[0] > width:
        about.pop()
    room = min(_BAR[1], max(0, width - _length(bar.name, count, about)))
    full = round(room * min(1.0, bar.done / bar.total)) if bar.total else room
    done, rest = ("━", "─") if is_unicode else ("#", "-")
    line = Text.assemble(
        (bar.name, "bold cyan"), " ", (done * full, "green"), (rest * (room - full), "dim"), f"  {count}"
    )
    for part in about:
        line.append(f"  {part}")
    line.truncate(max(1, width))
    return line


def _length(name: str, count: str, about: Sequence[str]) -> int:
    return len(name) + 1 + 2 + len(count) + sum(2 + len(part) for part in about)


def _short(rate: float) -> str:
    """A rate for people: 310, 2.1k, 34k."""
    if rate < 1000:
        return f"{rate:.0f}"
    return f"{rate / 1000:.1f}k" if rate < 10_000 else f"{rate / 1000:.0f}k"
