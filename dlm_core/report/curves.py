"""Loss and learning rate as SVG drawings that need no script."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .markup import table, text
from .record import Curve

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 22, 18, 40

#: More points than this are put together, several to one mean.
MOST_POINTS = 400

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawing.  `kind` is its CSS class: `train`, `validation` or `rate`."""

    kind: str
    label: str
    points: Points
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values onto the drawing.  The y axis starts at zero: how far a loss fell is then seen as it is."""

    last_x: float
    top_y: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.last_x

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top_y


def curve_figures(curve: Curve, number: int) -> str:
    """Loss, and learning rate where it is known, of one adapter in one phase; `number` makes ids unique."""
    points = [curve.points[step] for step in sorted(curve.points)]
    loss = _finite((point.step, point.loss) for point in points)
    held = _finite(sorted(curve.validation.items()))
    rate = _finite((point.step, point.learning_rate) for point in points)
    lost = len(points) - len(loss)
    found = ""
    if loss or held:
        lines = [Line("train", "training", thin(loss)), Line("validation", "validation", held, dots=True)]
        unit = "" if curve.measured else "nats a token"  # a phase that measures itself has a loss of its own
        found += drawing(f"loss-{number}", f"Loss, {curve.title}", unit, lines)
    if rate:
        found += drawing(f"rate-{number}", f"Learning rate, {curve.title}", "", [Line("rate", "", thin(rate))])
    note = f'<p class="note">{lost} steps had a loss that is no number and are not drawn.</p>' if lost else ""
    shown = f'<div class="figures">{found}</div>{note}' if found or note else ""
    return shown + measured_table(curve)


def measured_table(curve: Curve) -> str:
    """What the phase measured of itself, such as a margin, at each of the times it did; nothing where it did not."""
    times = list(curve.measured)
    names = list(dict.fromkeys(name for values in curve.measured.values() for name in values))
    rows = [
        [text(name.replace("_", " ")), *(_shown(curve.measured[time].get(name)) for time in times)] for name in names
    ]
    return table([f"measured, {curve.title}", *times], rows, "numbers") if rows else ""


def _shown(value: float | None) -> str:
    return "–" if value is None else number_text(value)


def drawing(name: str, title: str, unit: str, lines: Sequence[Line]) -> str:
    """Lines over optimizer steps with axes, ticks, a legend where there are two, and words for who cannot see it."""
    lines = [line for line in lines if line.points]
    values = [y for line in lines for _, y in line.points]
    ticks = nice_ticks(max(values, default=0.0))
    scale = Scale(max((x for line in lines for x, _ in line.points), default=1) or 1, ticks[-1])
    said = "; ".join(_in_words(line) for line in lines)
    inside = _grid(scale, ticks) + "".join(_line(scale, line) for line in lines) + _axis_names(unit)
    legend = _legend(lines) if len(lines) > 1 else ""
    return (
        f"<figure><figcaption>{text(title)}{legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{text(title)}</title><desc id="{name}-d">{text(said)}</desc>{inside}</svg></figure>'
    )


def nice_ticks(highest: float, most: int = 5) -> list[float]:
    """Round values from zero to the first at or above `highest`: steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not highest > 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / most))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * most >= highest)
    return [step * index for index in range(math.ceil(highest / step - 1e-9) + 1)]


def thin(points: Points) -> Points:
    """At most MOST_POINTS points: neighbours become one at their mean, and the last stays as it is."""
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(len(points) / (MOST_POINTS - 1))
    groups = [points[start : start + size] for start in range(0, len(points) - 1, size)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return [*means, points[-1]]


def number_text(value: float) -> str:
    """A short number for a tick: 0, 2.5, 0.0002, 5e-06."""
    return f"{value:.3g}"


def _finite(points: Iterable[tuple[float, float | None]]) -> Points:
    return [(x, y) for x, y in points if isinstance(y, int | float) and math.isfinite(y)]


def _grid(scale: Scale, ticks: Sequence[float]) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    found = ""
    for tick in ticks:
        y = scale.y(tick)
        found += f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
        found += f'<text class="tick end" x="{LEFT - 7}" y="{y + 4:.1f}">{number_text(tick)}</text>'
    for tick in _step_ticks(scale.last_x):
        x = scale.x(tick)
        found += f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
        found += f'<text class="tick middle" x="{x:.1f}" y="{bottom + 18}">{tick:,.0f}</text>'
    return found + f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'


def _step_ticks(last: float) -> list[float]:
    ticks = sorted({round(tick) for tick in nice_ticks(last) if tick <= last})
    return [float(tick) for tick in ticks]


def _axis_names(unit: str) -> str:
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    across = f'<text class="name middle" x="{middle:.0f}" y="{HEIGHT - 4}">optimizer step</text>'
    up = f'<text class="name" x="{LEFT + 6}" y="{TOP - 4}">{text(unit)}</text>' if unit else ""
    return across + up


def _line(scale: Scale, line: Line) -> str:
    places = [(scale.x(x), scale.y(y)) for x, y in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    found = f'<path class="line {line.kind}" d="{path}"/>'
    if line.dots or len(places) == 1:
        few = places if len(places) <= 60 else places[-1:]
        found += "".join(f'<circle class="{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in few)
    return found


def _legend(lines: Sequence[Line]) -> str:
    items = "".join(f'<span class="key {line.kind}">{text(line.label)}</span>' for line in lines)
    return f' <span class="legend">{items}</span>'


def _in_words(line: Line) -> str:
    first, last = line.points[0], line.points[-1]
    lowest = min(line.points, key=lambda point: point[1])
    return (
        f"{line.label or 'value'} from {number_text(first[1])} at step {first[0]:.0f} to {number_text(last[1])} "
        f"at step {last[0]:.0f}, lowest {number_text(lowest[1])} at step {lowest[0]:.0f}"
    )
