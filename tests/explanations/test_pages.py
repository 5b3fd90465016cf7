"""Every code has a page; each page's wrong document gives just that problem, and its repaired one does not."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlm_core.api.errors import EXIT_CODES
from dlm_core.plugins import Plugins

from .surroundings import plain, say

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[A-Z]{2,8}\d{4}")
SAID = re.compile(r"(?:error|warning)\[([A-Z]+\d{4})\]")
PAGES = dict(Plugins.load().explanations)


@dataclass(frozen=True)
class Page:
    wrong: str
    command: str
    message: str
    right: str
    checked: str


def parts(text: str) -> Page:
    """The blocks of a page."""
    wrong, right = re.findall(r"```dlm\n(.*?)```", text, re.DOTALL)
    (said,) = re.findall(r"```text\n\$ (.*?)\n```", text, re.DOTALL)
    command, _, message = said.partition("\n")
    again = re.search(r"```sh\n(.*?)\n```", text.partition("## Right")[2], re.DOTALL)
    return Page(wrong, command, message, right, again[1] if again else command)


def emitted() -> set[str]:
    """The codes that stand in the source as they are."""
    here = {plugin.dist for plugin in Plugins.load().all}
    folders = [ROOT / "dlm_core", *(path for path in (ROOT / "plugins").iterdir() if path.name in here)]
    modules = [path for folder in folders for path in folder.rglob("*.py") if "tests" not in path.parts]
    return {
        node.value
        for path in modules
        if "plugin_templates" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
    }


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert emitted() == set(PAGES)


@pytest.mark.parametrize("code", PAGES)
def test_a_page_says_everything(code: str) -> None:
    page = PAGES[code]
    assert page.page.startswith(f"# {code}: {page.title}\n")
    headings = re.findall(r"^## (.*)$", page.page, re.MULTILINE)
    assert headings == ["Why it is a problem", "Wrong", "Right", "What to do"]
    assert max(map(len, re.sub(r"```.*?```", "", page.page, flags=re.DOTALL).split("\n"))) <= 100


@pytest.mark.parametrize("code", PAGES)
def test_the_wrong_document_has_just_this_problem(code: str, tmp_path: Path) -> None:
    page = parts(PAGES[code].page)
    said = say(code, page.command, page.wrong, tmp_path)
    assert set(SAID.findall(said.text)) == {code}, said.text
    assert page.message in plain(said.text, tmp_path)
    is_warning = f"warning[{code}]" in said.text
    assert said.code == (0 if is_warning else EXIT_CODES.get(code, EXIT_CODES.get(code[:5], 3)))


@pytest.mark.parametrize("code", PAGES)
def test_the_right_document_does_not_have_it(code: str, tmp_path: Path) -> None:
    page = parts(PAGES[code].page)
    said = say(code, page.checked, page.right, tmp_path)
    assert said.code == 0, said.text
    assert code not in said.text


def test_the_command_finds_a_page_and_says_what_is_missing(tmp_path: Path) -> None:
    def explain(*words: str) -> tuple[int, str]:
        said = say("", " ".join(["dlm", *words]), "", tmp_path)
        return said.code, said.text

    assert explain("explain", "dlm0101")[1].startswith("DLM0101: unknown key\n")
    assert explain("explain", "[DLM0101]")[0] == 0
    code, listed = explain("explain")
    assert (code, [line.split()[0] for line in listed.splitlines()]) == (0, list(PAGES))
    code, said = explain("explain", "DLM011")
    assert (code, "did you mean DLM0" in said) == (2, True)
    code, said = explain("-P", "no:hf", "explain", "HF0001")
    assert (code, "provided by hf" in said) == (5, True)
