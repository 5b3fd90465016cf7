"""How problems look in a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlm_core.api import DocumentError, Problem, Span
from dlm_core.diagnostics import render, summary

PATH = Path("a.dlm")


def draw(line: str, col: int, width: int = 1, **rest) -> list[str]:
    text = render([Problem(Span(2, col, width), "m", **rest)], PATH, f"x\n{line}\ny", color=False)
    return text.split("\n")


def test_the_whole_look(parse, doc):
    text = doc(front="training:\n  lora_rr: 8\n  lora_r: 900\n").replace("Hello.", "::instruction ::")
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert render(caught.value, PATH, text, color=False) == (
        "error[DLM0101]: unknown key `training.lora_rr`\n"
        " --> a.dlm:6:3\n"
        "  |\n"
        "6 |   lora_rr: 8\n"
        "  |   ^^^^^^^\n"
        "  |\n"
        "  = help: did you mean `lora_r`?\n"
        "\n"
        "error[DLM0104]: `training.lora_r` is 900; allowed: a whole number from 1 to 256\n"
        " --> a.dlm:7:11\n"
        "  |\n"
        "7 |   lora_r: 900\n"
        "  |           ^^^\n"
        "\n"
        "warning[DLM0203]: this line looks like a section fence but is read as text\n"
        " --> a.dlm:9:1\n"
        "  |\n"
        "9 | ::instruction ::\n"
        "  | ^^^^^^^^^^^^^^^^\n"
        "  |\n"
        "  = help: write `::instruction::`\n"
        "\n"
        "2 errors, 1 warning\n"
        "`dlm check a.dlm --fix` repairs 1 of them\n"
        "`dlm explain DLM0101` says more, and so for every code"
    )


@pytest.mark.parametrize(
    ("line", "col", "width", "caret"),
    [
        ("abc", 2, 2, " ^^"),
        ("\tabc", 2, 3, "    ^^^"),
        ("a\tb", 2, 1, " ^^^^"),
        ("日本語x", 3, 1, "    ^^"),
        ("日本語x", 4, 1, "      ^"),
        ("e\u0301x", 3, 1, " ^"),
        ("abc", 4, 5, "   ^"),
        ("", 1, 1, "^"),
        ("abc", 99, 1, "   ^"),
        ("a\u202eb", 3, 1, "  ^"),
    ],
)
def test_the_caret_stands_under_what_is_meant(line, col, width, caret):
    shown = draw(line, col, width)
    assert shown[4].removeprefix("  | ") == caret


def test_long_lines_are_cut_round_the_caret():
    shown = draw("a" * 5000 + "X" + "b" * 5000, 5001)
    source, caret = shown[3].removeprefix("2 | "), shown[4].removeprefix("  | ")
    assert len(source) < 120
    assert source.startswith("…")
    assert source.endswith("…")
    assert source[caret.index("^")] == "X"
    assert len(draw("a" * 5000, 1, 5000)[4]) < 120


def test_nothing_of_the_document_reaches_the_terminal_raw():
    text = "\n".join(draw("a\x1b[31mb\x07\u202e", 2))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    problem = Problem(Span(1), "bad \x1b[2J", "do \x07")
    assert "\x1b" not in render([problem], Path("a\x1b"), None, color=False)


def test_without_text_and_in_other_files_there_is_no_source_line():
    problem = Problem(Span(2, 3), "m", "h", file=Path("b.md"))
    assert render([problem], PATH, "x\ny", color=False) == "error: m\n --> b.md:2:3\n  = help: h\n\n1 error"
    assert render([Problem(Span(12), "m")], PATH, None, color=False) == "error: m\n  --> a.dlm:12:1\n\n1 error"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_do_not_matter(end):
    assert "2 | bb" in render([Problem(Span(2), "m")], PATH, f"\ufeffa{end}bb{end}c", color=False)


def test_color_only_adds_color():
    problem = Problem(Span(2, 1), "m", "h", "warning", "DLM0203")
    plain = render([problem], PATH, "x\ny", color=False)
    painted = render([problem], PATH, "x\ny", color=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == plain
    assert "\x1b[1;33mwarning[DLM0203]\x1b[0m" in painted


def test_summary():
    error, warning = Problem(Span(1), "m"), Problem(Span(1), "m", severity="warning")
    assert summary([]) == "no problems"
    assert summary([error]) == "1 error"
    assert summary([warning, warning]) == "2 warnings"
    assert summary([warning, error, error]) == "2 errors, 1 warning"
