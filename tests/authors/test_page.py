"""The page for authors: its code is that of files which the tests run, and what it says of the suite is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlm_core.cli.plugin import kinds, make_package
from dlm_core.testing.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^<!-- (\S+) -->\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's package is made."""
    folder = tmp_path_factory.mktemp("page")
    make_package("words", "section-type", folder / "dlm-words")
    return folder


@pytest.mark.parametrize(("name", "code"), SHOWN, ids=[name for name, _ in SHOWN])
def test_the_code_is_that_of_a_file(words: Path, name: str, code: str) -> None:
    file = words / name if name.startswith("dlm-words") else ROOT / name
    assert code.strip() == file.read_text(encoding="utf-8").strip()


def test_all_code_comes_from_files() -> None:
    assert len(SHOWN) == PAGE.count("```python") >= 6


def test_the_entry_point_shown_is_the_package_s(words: Path) -> None:
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert shown in (words / "dlm-words" / "pyproject.toml").read_text(encoding="utf-8")


def test_every_kind_and_every_rule_is_named() -> None:
    plain = " ".join(PAGE.split())
    assert [kind for kind in kinds() if f"`{kind}`" not in plain] == []
    said = plain.partition("rule that every plugin keeps:")[2].partition(". `assert_light")[0]
    short = {"it is light": "it is light", "it is typed": "typed", "config is strict": "its configuration is strict"}
    assert [rule for rule in RULES if short.get(rule, rule) not in said] == []
