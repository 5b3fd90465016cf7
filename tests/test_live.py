"""The bar and the plot that a terminal shows while a run trains."""

from __future__ import annotations

import math

import pytest

from dlm_core.cli.live import Bar, bar_line
from dlm_core.cli.plot import Curve, draw


def curve(steps: int) -> Curve:
    made = Curve()
    for step in range(1, steps + 1):
        made.add(step, 3.0 * math.exp(-step / steps))
    return made


@pytest.mark.parametrize("width", [24, 59, 80, 110])
@pytest.mark.parametrize("is_unicode", [True, False])
def test_a_plot_fits_and_says_validation_without_colour(width, is_unicode):
    lines = draw(curve(50), [(25, 2.0), (50, 1.5)], width, is_unicode=is_unicode)
    assert len(lines) == 9
    assert max(map(len, lines)) <= width
    assert "".join(lines[:7]).count("◆" if is_unicode else "o") == 2
    assert lines[0].split()[0].startswith("2.9")
    assert is_unicode or "".join(lines).isascii()


def test_what_is_not_finite_is_left_out_and_little_draws_nothing():
    made = Curve()
    assert draw(made, [], 80) == []
    for step, loss in enumerate([2.0, math.nan, math.inf, 1.0], 1):
        made.add(step, loss)
    assert made.means == [2.0, 1.0]
    assert draw(made, [(2, math.nan)], 80)
    assert draw(made, [], 20) == []


def test_a_long_run_takes_little_memory():
    made = curve(100_000)
    assert len(made.means) < 2048
    assert made.stride * len(made.means) == pytest.approx(100_000, rel=0.01)
    assert len(made.columns(144)) == 144


@pytest.mark.parametrize("width", range(20, 120, 9))
def test_a_bar_fits_any_terminal(width):
    about = ["loss 1.234", "0:46 left", "val 1.300", "2.1k tok/s", "1.3 GB"]
    line = bar_line(Bar("sft", 120, 74, about), width, True)
    assert line.cell_len <= width
    assert "74/120" in line.plain


@pytest.mark.parametrize("lowest", [0.0, 2e-7, 0.00303, 0.5, 123.456])
@pytest.mark.parametrize("highest", [4.62, 12_345.6])
def test_the_numbers_of_a_plot_stand_before_its_axis(lowest, highest):
    made = Curve()
    for step, loss in enumerate([highest, lowest + 1, lowest], 1):
        made.add(step, loss)
    assert {line.index("┤") for line in draw(made, [], 80)[:7]} == {7}
