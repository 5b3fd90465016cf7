"""`dlm tokens`: what of a document trains is said for every character, with and without colour."""

from __future__ import annotations

import pytest

BODY = """The bay is deep.

::instruction::
### Q
Who keeps it?
### A
Oda Vell.

### Q !exam
Which?
### A
None.
"""


def gutters(text: str) -> dict[int, str]:
    """Line number -> its letter."""
    found = {}
    for line in text.splitlines():
        head, bar, _ = line.partition(" │")
        words = head.split()
        if bar and words and words[0].isdigit():
            found[int(words[0])] = words[1] if len(words) > 1 else ""
    return found


def test_every_line_says_what_becomes_of_it(desk):
    path = desk.write(BODY, training="", front="system_prompt: Be brief.\n")
    shown = desk.dlm("tokens", path)
    assert shown.code == 0, shown.err
    first = path.read_text().split("\n").index("The bay is deep.") + 1
    letters = gutters(shown.out)
    told = [letters[number] for number in range(1, first + len(BODY.splitlines()))]
    assert told == ["f"] * (first - 1) + ["*", "", "s", "h", "c", "h", "t", "", "h", "e", "h", "e"]
    assert "cccttttttttttttt" in shown.out, "a mixed line has its letters below"
    assert "rows     2 trained, 0 validation, 1 only asked" in shown.out
    assert "the system prompt opens every conversation" in shown.out


def test_a_section_token_by_token(desk):
    path = desk.write(BODY, training="")
    line = path.read_text().split("\n").index("Who keeps it?") + 1
    shown = desk.dlm("tokens", f"{path}:{line}")
    assert shown.code == 0, shown.err
    assert "⟦" in shown.out
    assert shown.out.count("row ") == 2
    rows = desk.dlm("tokens", f"{path}:{line}", "--json").json["rows"]
    assert [row["side"] for row in rows] == ["trained", "exam"]
    learned = "".join(token["text"] for token in rows[0]["pieces"][0]["tokens"] if token["labelled"])
    assert learned.startswith("Oda Vell.")
    ids = desk.dlm("tokens", f"{path}:{line}:1", "--ids").out
    assert all(str(token["id"]) in ids for token in rows[0]["pieces"][0]["tokens"])


def test_where_a_row_is_divided_or_cut_is_marked(desk):
    long = "Twelve fathoms deep is the bay. " * 20
    body = f"{long.strip()}\n\n::instruction::\n### Q\nHow deep?\n### A\n{long.strip()}\n"
    path = desk.write(body, training="  sequence_len: 64\n")
    assert "⟦split⟧" in desk.dlm("tokens", path).out
    refused = desk.dlm("tokens", path)
    assert "refused" in refused.out
    cut = desk.dlm("tokens", path, "--long-rows", "cut")
    assert "⟦cut⟧" in cut.out
    assert "left out" in cut.out
    whole = desk.dlm("tokens", path, "--json").json
    assert sum(piece["kept"] for row in whole["rows"] for piece in row["pieces"] if row["kind"] == "chat") == 0


@pytest.mark.parametrize(("line", "said"), [(3, "in the frontmatter"), (999, "there is no line 999")])
def test_a_line_without_a_section_names_the_nearest(desk, line, said):
    path = desk.write(BODY, training="")
    wrong = desk.dlm("tokens", f"{path}:{line}")
    assert wrong.code == 2
    assert said in wrong.err
    command = wrong.err.partition("`dlm ")[2].partition("`")[0]
    assert desk.dlm(*command.split()).code == 0


def test_a_colon_in_a_name_is_part_of_it(desk):
    path = desk.write(BODY, training="", name="no:12")
    assert desk.dlm("tokens", path.name).code == 0
    assert desk.dlm("tokens", f"{path.name}:6").code == 0
    assert desk.dlm("tokens", "nowhere:6").code == 2
