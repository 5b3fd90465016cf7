"""A loss plot of a few lines of text: training as a line of braille dots, validation as diamonds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Values kept of a curve; when there are more, neighbours are averaged.
_MOST = 2048
#: The bit of a braille character for each of its dots, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_AXIS = 8  # columns left of the plot: a number and a tick


@dataclass(slots=True)
class Curve:
    """A loss by step in bounded memory: each entry is the mean of `stride` steps, from step `first` on."""

    first: int = 1
    stride: int = 1
    means: list[float] = field(default_factory=list)
    last: int = 0
    _sum: float = 0.0
    _count: int = 0

    def add(self, step: int, value: float) -> None:
        """Steps come in rising order; a value that is not finite is left out."""
        if not self.last:
            self.first = step
        self.last = max(step, self.last)
        if not math.isfinite(value):
            return
        self._sum += value
        self._count += 1
        if self._count == self.stride:
            self.means.append(self._sum / self.stride)
            self._sum, self._count = 0.0, 0
            if len(self.means) >= _MOST:
                self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
                self.stride *= 2

    def columns(self, count: int) -> list[float]:
        """The curve in at most `count` means over equal stretches of steps."""
        size = len(self.means)
        count = min(count, size)
        edges = [round(place * size / count) for place in range(count + 1)] if count else []
        return [sum(self.means[a:b]) / (b - a) for a, b in pairwise(edges)]


def draw(
    curve: Curve, validation: Sequence[tuple[int, float]], width: int, height: int = 7, *, is_unicode: bool = True
) -> list[str]:
    """The lines of the plot: `height` rows, then the axis of steps and what the signs mean; nothing without values.

    `validation` holds (step, loss).  No line is longer than `width` columns.
    """
    room = width - _AXIS
    marks = [(step, loss) for step, loss in validation if math.isfinite(loss)]
    if room < 16 or len(curve.means) < 2:
        return []
    means = curve.columns(2 * room)
    values = [*means, *(loss for _, loss in marks)]
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    cells = _line(means, low, high, room, height, is_unicode)
    for step, loss in marks:
        share = (step - curve.first) / max(1, curve.last - curve.first)
        row = round((high - loss) / (high - low) * (height - 1))
        cells[row][min(room - 1, max(0, round(share * (room - 1))))] = "◆" if is_unicode else "o"
    tick, corner, rule = ("┤", "└", "─") if is_unicode else ("|", "+", "-")
    labels = {0: high, height // 2: high + (low - high) * (height // 2) / (height - 1), height - 1: low}
    lines = [
        f"{_number(labels[row]) if row in labels else '':>{_AXIS - 2}} {tick}{''.join(cells[row])}".rstrip()
        for row in range(height)
    ]
    return [*lines, f"{'':>{_AXIS - 1}}{corner}{rule * room}", _steps(curve, bool(marks), room, is_unicode)]


def _line(means: Sequence[float], low: float, high: float, room: int, height: int, is_unicode: bool) -> list[list[str]]:
    """The curve in a grid of characters, one after the other joined by dots in between."""
    across, down = (2, 4) if is_unicode else (1, 1)
    bits = [[0] * room for _ in range(height)]
    columns, rows = room * across, height * down
    before: int | None = None
    for x in range(columns):
        # Few values are stretched over the width, each point between two of them.
        place = x * (len(means) - 1) / (columns - 1)
        left = int(place)
        right = min(left + 1, len(means) - 1)
        value = means[left] + (means[right] - means[left]) * (place - left)
        y = min(rows - 1, max(0, round((high - value) / (high - low) * (rows - 1))))
        start, stop = (y, y) if before is None else (min(y, before), max(y, before))
        for dot in range(start, stop + 1):
            bits[dot // down][x // across] |= _DOTS[dot % down][x % across] if is_unicode else 1
        before = y
    if is_unicode:
        return [[chr(0x2800 + bit) if bit else " " for bit in row] for row in bits]
    return [["*" if bit else " " for bit in row] for row in bits]


def _steps(curve: Curve, has_marks: bool, room: int, is_unicode: bool) -> str:
    """The first and the last step below the axis, the meaning of the signs between them."""
    line, mark = ("⠤⠤", "◆") if is_unicode else ("**", "o")
    first, last = f"step {curve.first}", f"{curve.last}"
    meaning = f"{line} training loss" + (f"   {mark} validation" if has_marks else "")
    between = room - len(first) - len(last)
    middle = meaning.center(between) if len(meaning) + 2 <= between else " " * max(1, between)
    return f"{'':>{_AXIS}}{first}{middle}{last}"[: room + _AXIS]


def _number(value: float) -> str:
    """A loss in at most six characters, minus signs aside."""
    if abs(value) >= 10_000 or 0 < abs(value) < 0.0001:
        return f"{value:.0e}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.4f}" if 0 < abs(value) < 0.01 else f"{value:.2f}"
