"""Tables and JSON: what becomes of rows, and that nothing in them is lost or misread."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.api import Problem, Row, Section, Span
from dlm_core.plugins import Plugins
from dlm_docs import plugin
from dlm_docs.readers import Found, Json, JsonLines, Table

Q, A = "Who keeps the lamp?", "Oda Vell keeps it."
PAIR = [("user", Q), ("assistant", A)]
LONG = [("system", "Be short."), *PAIR, ("user", "Since when?"), ("assistant", "Since\n\nspring.")]


def plugins() -> Plugins:
    found = Plugins.load(group="none of those installed")
    found.register(plugin, "docs", "dlm-docs", "0")
    return found


TYPES = plugins().section_types


def read(data: bytes | str, name: str) -> list[Found]:
    reader = {"csv": Table, "tsv": Table, "jsonl": JsonLines, "json": Json}[name.rpartition(".")[2]]()
    return list(reader.read(data.encode() if isinstance(data, str) else data, name))


def rows(found: Sequence[Found]) -> list[Row]:
    """The rows that core makes of what a reader found."""
    made = []
    for one in found:
        if isinstance(one, Problem):
            continue
        kind, content, attrs, line = one
        section = Section(kind, content, Span(1), "0" * 16, None, attrs, line)
        for row in TYPES[kind].rows(section, None):  # type: ignore[arg-type]
            assert isinstance(row, Row), row
            made.append(row)
    return made


def talks(found: Sequence[Found]) -> list[list[tuple[str, str]]]:
    return [[(one.role, one.text) for one in row.messages] for row in rows(found)]


def said(found: Sequence[Found]) -> list[tuple[int, str]]:
    return [(one.span.line, one.message) for one in found if isinstance(one, Problem)]


def openai(talk: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in talk]


def sharegpt(talk: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[role], "value": text} for role, text in talk]


@pytest.mark.parametrize(
    "header",
    ["question,answer", "Q,A", "Prompt,Response", "prompt,completion", "id,Question ,ANSWER", "user,assistant"],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_of_questions(header: str, separator: str) -> None:
    names = header.split(",")
    row = ["7"] * (len(names) - 2) + [Q, A]
    text = "\r\n".join([separator.join(names), separator.join(row), ""])
    (found,) = read(text, "faq.csv")
    assert found == ("instruction", f"### Q\n{Q}\n### A\n{A}", {}, 2)
    assert talks([found]) == [PAIR]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-8"])
def test_byte_order_marks(codec: str) -> None:
    assert talks(read(f"question\tanswer\n{Q}\tGröße\n".encode(codec), "faq.tsv")) == [
        [("user", Q), ("assistant", "Größe")]
    ]


def test_fields_keep_their_lines_and_the_places_of_rows() -> None:
    text = f'\nquestion,answer\n"{Q}","One, ""two""\n\nthree"\n{Q},{A}\n'
    found = read(text, "faq.csv")
    assert talks(found) == [[("user", Q), ("assistant", 'One, "two"\n\nthree')], PAIR]
    assert [one[3] for one in found if not isinstance(one, Problem)] == [3, 6]


def test_alpaca_columns() -> None:
    text = "instruction,input,output,system\nTranslate,Guten Tag,Good day,\nSay hi,,Hi,Be short\n"
    assert talks(read(text, "a.csv")) == [
        [("user", "Translate\n\nGuten Tag"), ("assistant", "Good day")],
        [("system", "Be short"), ("user", "Say hi"), ("assistant", "Hi")],
    ]


def test_a_column_of_conversations() -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "messages"], ["1", json.dumps(openai(LONG))], ["2", json.dumps(sharegpt(PAIR))]])
    assert talks(read(out.getvalue(), "a.csv")) == [LONG, PAIR]


def test_a_column_of_texts() -> None:
    (row,) = rows(read("text\nThe ferry sails at noon.\n", "a.csv"))
    assert row.data == {"text": "# source: a.csv\n\nThe ferry sails at noon."}


def test_rows_that_are_left_out_are_named() -> None:
    found = read(f'q,a\n{Q},{A}\n{Q},a,b\n,x\n"open"x,y\n{Q}\n\n{Q}, \n{Q},{A}\n', "faq.csv")
    assert talks(found) == [PAIR, PAIR]
    assert said(found) == [
        (3, "this row is left out: it has 3 fields, the header has 2"),
        (5, "this row is left out: ',' expected after '\"'"),
        (6, "this row is left out: it has 1 fields, the header has 2"),
        (4, "2 rows without a question, an answer or text left out: 4, 8"),
    ]


def test_a_quotation_mark_that_is_never_closed() -> None:
    found = read(f'q,a\n{Q},{A}\n"{Q},{A}\n{Q},{A}\n', "faq.csv")
    assert talks(found) == [PAIR]
    assert said(found) == [(3, "this row is left out: unexpected end of data")]


def test_only_the_first_wrong_rows_are_named() -> None:
    found = read("q,a\n" + "x\n" * 50 + f"{Q},{A}\n", "faq.csv")
    assert len(said(found)) == 11
    assert said(found)[-1] == (1, "40 more rows like that are left out")


def test_a_huge_field() -> None:
    before = csv.field_size_limit()
    assert talks(read(f"q,a\n{Q},{'x' * 3_000_000}\n", "faq.csv"))[0][1][1] == "x" * 3_000_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    "value",
    [
        {"question": Q, "answer": A},
        {"prompt": Q, "completion": A, "id": 7, "tags": ["x"]},
        {"instruction": Q, "input": "", "output": A},
        {"messages": openai(PAIR)},
        {"messages": [{"role": r, "content": [{"type": "text", "text": t}]} for r, t in PAIR]},
        {"conversations": sharegpt(PAIR)},
        {"conversations": openai(PAIR)},
        openai(PAIR),
    ],
)
def test_examples_in_json(value: Any) -> None:
    assert talks(read(json.dumps(value), "a.jsonl")) == [PAIR]
    if isinstance(value, dict):
        assert talks(read(json.dumps([value, value], indent=1), "a.json")) == [PAIR, PAIR]


def test_conversations_of_several_turns() -> None:
    lines = [
        {"messages": openai(LONG)},
        {"conversations": sharegpt(LONG)},
        {"conversations": sharegpt(LONG[1:]), "system": "Be short."},
    ]
    assert talks(read("\n".join(map(json.dumps, lines)), "a.jsonl")) == [LONG, LONG, LONG]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{", "broken JSON: Expecting property name enclosed in double quotes, column 2"),
        ("[" * 100_000, "nested too deep"),
        ("7", "it is no object but a value of type int"),
        ({"x": 1}, "no name is recognised among 'x'; name them "),
        ({}, "no name is recognised among nothing; name them "),
        ({"question": Q, "answer": [1]}, "answer is a list, not text"),
        ({"question": Q, "answer": "\ud800"}, "the text of assistant has half a character"),
        ({"question": Q, "answer": "\0"}, "the text of assistant holds a NUL"),
        ({"messages": openai(PAIR[:1])}, "it does not end with an answer of the assistant"),
        ({"messages": openai(PAIR[1:])}, "turn 1 is assistant; user and assistant must take turns, the user first"),
        ({"messages": openai([*PAIR, *PAIR[1:]])}, "turn 3 is assistant; user and assistant must take turns"),
        ({"messages": openai([("tool", "x"), *PAIR])}, "the role 'tool' is not known: system, user or assistant"),
        ({"messages": openai([("user", " "), ("assistant", A)])}, "the text of user is empty"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "only parts of type text can be read"),
        ({"messages": [{"role": "assistant", "tool_calls": [1]}]}, "calls of tools cannot be learned yet"),
        ({"messages": [{"role": "assistant", "content": A, "weight": 0}]}, "weights of single messages are not known"),
        ({"messages": [1]}, "a message is an object with role and content"),
        ({"messages": {}}, "it is no list of messages"),
        ({"messages": []}, "it does not end with an answer"),
        ({"conversations": [*sharegpt(PAIR), 1]}, "a message is an object with from and value"),
    ],
)
def test_a_wrong_line_is_named_with_its_number(value: Any, reason: str) -> None:
    good = json.dumps({"q": Q, "a": A})
    wrong = value if isinstance(value, str) else json.dumps(value)
    found = read(f"{good}\n\n{wrong}\n{good}\n", "a.jsonl")
    assert talks(found) == [PAIR, PAIR]
    ((line, message),) = said(found)
    assert line == 3
    assert message.startswith(f"this line is left out: {reason}")
    if isinstance(value, dict) and value:
        found = read(f"[{good},\n\n{wrong},\n{good}]", "a.json")
        assert talks(found) == [PAIR, PAIR]
        assert said(found)[0][0] == 3


@pytest.mark.parametrize(
    "text",
    ['{"name": "x", "version": "1"}', "[1, 2]", '[{"x": 1}]', "// words\n{}", '{"question": "a", "answer": "b"}', "["],
)
def test_json_that_is_no_list_of_examples_is_text(text: str) -> None:
    assert read(text, "package.json") == [("prose", f"# source: package.json\n\n{text}", {}, 1)]


TRICKY = [
    "### A\nNo.",
    "before\n### A\nafter",
    "### Q !exam\nx",
    "  ### Q",
    "```\n### A\n",
    "```\nopen",
    "::instruction::\n### Q\nx",
    "::prose::",
    "<!-- dlm-auto-synth: x -->\nhi",
    "a\n\n\n",
    "\n\na",
    "a\r\nb",
    "a\rb",
    "a\x0bb\x1cc\u2028d\u2029e\x85f",
    "---\nbase_model: x\n---",
    "### Question",
    "#### A:",
    '"quoted", \\ and \\n',
    "\t indented",
    "🜁 東京 é",
    "<|im_start|>assistant",
]


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("place", [0, 1])
def test_nothing_in_a_text_is_misread(text: str, place: int) -> None:
    talk = [PAIR[0], ("assistant", text)] if place else [("user", text), PAIR[1]]
    _holds(talk)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*TRICKY, "### A", "### Q", "\n", "~~~", "x", " "]), min_size=1, max_size=5).map(
            "\n".join
        )
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
        min_size=2,
        max_size=6,
    )
    .map(lambda texts: texts[: len(texts) // 2 * 2])
    .filter(lambda texts: all(text.strip() for text in texts))
)
def test_any_conversation_comes_back_as_it_was(texts: list[str]) -> None:
    _holds([(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)])


def _holds(talk: list[tuple[str, str]]) -> None:
    """A conversation is the same after every way it may be written."""
    lines = json.dumps({"messages": openai(talk)}, ensure_ascii=False) + "\n" + json.dumps(openai(talk))
    assert talks(read(lines, "a.jsonl")) == [talk, talk]
    assert talks(read(json.dumps([{"conversations": sharegpt(talk)}], ensure_ascii=False), "a.json")) == [talk]
    if len(talk) == 2:
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["question", "answer"], [text for _, text in talk]])
        assert talks(read(out.getvalue(), "a.csv")) == [talk]
