"""What YAML takes for line ends (U+0085, U+2028, U+2029) and the file's lines do not is refused, never counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlm_core.api import DocumentError
from dlm_core.editing import EditError, append_section, remove_key, replace_section_content, set_value, tidy
from dlm_core.editing.body import NewSection
from dlm_core.editing.migrate import migrate
from dlm_core.fixing import fix_bytes, problems_of
from dlm_core.plugins import Plugins

#: Where such a character may stand in a frontmatter: `%` is the place.
YAML = {
    "behind a key": "training:%\n  lora_r: 2\n",
    "in a plain value": "system_prompt: one% two\n",
    "in double quotes": 'system_prompt: "one% two"\n',
    "in single quotes": "system_prompt: 'one% two'\n",
    "in a comment": "# one% two\n",
    "in a comment behind a value": "system_prompt: one  # two% three\n",
    "in a literal block": "system_prompt: |\n  one%two\n  three\n",
    "in a folded block": "system_prompt: >-\n  one%\n  two\n",
    "in a flow list": "training: {sources: [{path: a,%\n  include: [b]}]}\n",
    "on a line of its own": "%\n",
    "in a key": "sys%tem_prompt: one\n",
}
TOML = {
    "in a string": 'system_prompt = "one% two"\n',
    "in a long string": 'system_prompt = """one%\ntwo"""\n',
    "in a comment": "# one% two\n",
    "behind a value": 'system_prompt = "one"%\n',
}
TOML_HEAD = 'dlm_id = "01K9ABCDEFGHJKMNPQRSTVWXYZ"\ndlm_version = 14\nbase_model = "tiny"\n'
HEAD = "dlm_id: 01K9ABCDEFGHJKMNPQRSTVWXYZ\ndlm_version: 14\nbase_model: tiny\n"
BODY = "One.\n\n::instruction::\n### Q\nWho?\n### A\nMe.\n"
CASES = [
    *((name, f"---\n{HEAD}{front}expor:\n  default_top_p: 0.5\n---\n{BODY}") for name, front in YAML.items()),
    *((name, f"+++\n{TOML_HEAD}{front}+++\n{BODY}") for name, front in TOML.items()),
]
CASES = [(name, text.replace("%", char)) for name, text in CASES for char in "\x85\u2028\u2029"]
each = pytest.mark.parametrize("text", [text for _, text in CASES], ids=[name for name, _ in CASES])
PLUGINS = Plugins.load()
HERE = Path("/nowhere/a.dlm")


def place(text: str) -> tuple[int, int]:
    """Line and column of the character, with lines that end at LF."""
    at = next(at for at, char in enumerate(text) if char in "\x85\u2028\u2029")
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@each
def test_it_is_one_problem_at_its_place_and_the_others_stay_at_theirs(text):
    found = problems_of(HERE, PLUGINS)(text.encode())
    assert [(p.span.line, p.span.col) for p in found if p.code == "DLM0110"] == [place(text)]
    lines = text.split("\n")
    misspelt = [p.span for p in found if "`expor`" in p.message]
    assert all(lines[span.line - 1] == "expor:" and span.col == 1 for span in misspelt)
    assert len(misspelt) <= text.startswith("---")


def test_the_keys_around_it_are_still_checked():
    text = f"---\n{HEAD}trainin: 2  # one\u2028two\nexport:\x85\n  default_top_p: 5\n---\n"
    found = [(p.code, p.span.line, p.span.col) for p in problems_of(HERE, PLUGINS)(text.encode())]
    assert sorted(found) == [("DLM0101", 5, 1), ("DLM0104", 7, 18), ("DLM0110", 5, 18), ("DLM0110", 6, 8)]


@each
def test_a_repair_changes_the_misspelt_key_and_nothing_else(text):
    done = fix_bytes(text.encode(), problems_of(HERE, PLUGINS)).after.decode()
    right = text.replace("expor:", "export:")
    assert done in (text, right, re.sub("sys.tem_prompt", "system_prompt", right))


@each
def test_no_edit_of_the_frontmatter_is_made(text):
    data = text.encode()
    edits = (
        lambda: set_value(data, "base_model", "x"),
        lambda: remove_key(data, "base_model"),
        lambda: migrate(data),
        lambda: tidy(data),
    )
    for edit in edits:
        with pytest.raises(DocumentError) as caught:
            edit()
        assert {p.code for p in caught.value.problems} == {"DLM0110"}


@each
def test_an_edit_of_the_body_keeps_every_byte_of_the_frontmatter(text):
    data = text.encode()
    head = data[: -len(BODY)]
    done = replace_section_content(data, text.count("\n"), "### Q\nWho?\n### A\nYou.")
    assert done == head + BODY.replace("Me.", "You.").encode()
    done = append_section(data, NewSection("prose", "Two."))
    assert done == head + BODY.encode() + b"\n::prose::\nTwo.\n"


def test_a_new_value_with_such_a_character_is_written_as_an_escape():
    for text in (f"---\n{HEAD}---\nx\n", f"+++\n{TOML_HEAD}+++\nx\n"):
        done = set_value(text.encode(), "system_prompt", "one\u2028\u2029two").decode()
        assert "one\\u2028\\u2029two" in done
        assert not set("\x85\u2028\u2029") & set(done)
        with pytest.raises(EditError):  # a control character, which no value may hold
            set_value(text.encode(), "system_prompt", "one\x85two")
