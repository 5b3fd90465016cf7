"""Instruction pairs, rows, routing and the validation split."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from dlm_core.api import DocumentError, Problem, Span, chat_row, text_row
from dlm_core.document import build_rows, collect_rows, is_validation, split_rows
from dlm_core.document.headers import Group, split_groups
from dlm_core.files import shown_path


@pytest.fixture
def rows(parse, doc, plugins):
    def run(body, front=""):
        document = parse(doc(body, front))
        return build_rows(document, document.sections, plugins)

    return run


@pytest.fixture
def row_problems(parse, doc, plugins):
    def run(body):
        document = parse(doc(body))
        with pytest.raises(DocumentError) as caught:
            build_rows(document, document.sections, plugins)
        return [(p.span.line, p.span.col, p.span.width, p.code) for p in caught.value.problems]

    return run


def pair(row):
    return row.question[0].text, row.answer, row.role, row.span.line, row.index


def test_pairs_become_chat_rows(rows):
    body = (
        "::instruction::\n\n### Q\nwhat?\n\n  more\n### A\n\n\nthat\n\nand  \n\n\n"
        "  ### Q  !probe \nasked\n### A\nanswer\n### Q !exam\nonly\n### A\nasked\n"
    )
    found = rows(body)
    assert list(map(pair, found)) == [
        ("what?\n\n  more", "that\n\nand  ", "train", 8, 0),
        ("asked", "answer", "probe", 20, 1),
        ("only", "asked", "exam", 24, 2),
    ]
    assert [row.span for row in found] == [Span(8, 1, 5), Span(20, 3, 13), Span(24, 1, 11)]
    assert {(row.kind, row.section_type, row.adapters) for row in found} == {("chat", "instruction", ("default",))}
    assert [m.role for m in found[0].messages] == ["user", "assistant"]


def test_headers_inside_code_do_not_count(rows):
    code = "```\n### Q\n### A\n```\n~~~~\n### A\n~~~\n~~~~"
    (row,) = rows(f"::instruction::\n### Q\n{code}\n### A\n{code}\nx\n")
    assert (row.question[0].text, row.answer) == (code, f"{code}\nx")


@pytest.mark.parametrize("line", ["### q", "### Question", "## Q", "### Q:", "###Q", "#### Q", "x ### Q", "### B"])
def test_what_is_no_header(rows, line):
    (row,) = rows(f"::instruction::\n### Q\nq\n### A\n{line}\n")
    assert row.answer == line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text", [(7, 1, 4, "DLM0221")]),
        ("\ntext\nmore\n### Q\nq\n### A\na", [(8, 1, 4, "DLM0221")]),
        ("### Q\nq", [(7, 1, 5, "DLM0223")]),
        ("### A\na", [(7, 1, 5, "DLM0223")]),
        ("### Q\nq\n### Q\nq\n### A\na", [(7, 1, 5, "DLM0223")]),
        ("### Q\nq\n### A\na\n### A\nb", [(11, 1, 5, "DLM0223")]),
        ("### Q\n\n### A\na", [(7, 1, 5, "DLM0224")]),
        ("### Q\nq\n### A\n\n \n### Q\nq\n### A", [(9, 1, 5, "DLM0224"), (14, 1, 5, "DLM0224")]),
        ("### Q what?\nq\n### A\na", [(7, 1, 11, "DLM0222")]),
        ("### Q !prob\nq\n### A\na", [(7, 7, 5, "DLM0222")]),
        ("### Q !probe !exam\nq\n### A\na", [(7, 1, 18, "DLM0222")]),
        ("### Q\nq\n ### A !exam\na", [(9, 2, 11, "DLM0222")]),
        ("### Q x\n### A\na\nb", [(7, 1, 7, "DLM0222"), (7, 1, 7, "DLM0224")]),
    ],
)
def test_wrong_pairs(row_problems, content, expected):
    assert row_problems(f"::instruction::\n{content}\n") == expected


def test_problems_of_all_sections_come_together(row_problems):
    body = "::instruction::\n### Q\n::picky::\nrefuse\n::instruction::\n### A\n"
    assert [(line, code) for line, *_, code in row_problems(body)] == [(7, "DLM0223"), (8, "DLM0225"), (11, "DLM0223")]


def test_a_section_type_that_crashes_is_named(rows):
    with pytest.raises(DocumentError, match=r"`picky` of plugin extra \(dlm-extra 1.0\).*TypeError: a bug") as caught:
        rows("::picky::\ncrash\n")
    assert caught.value.exit_code == 5


def test_problems_in_sources_name_their_file(parse, doc, plugins):
    document = parse(doc("::picky::\nrefuse\n"))
    section = replace(document.sections[0], source="src/a.md", span=Span(3))
    rows, (problem,) = collect_rows(document, [section], plugins)
    assert (rows, str(problem.file), problem.span.line) == ([], "src/a.md", 7)


@pytest.mark.parametrize(
    ("document", "here", "shown"),
    [
        ("docs/a.dlm", ".", "docs/texts/a.md"),
        ("a.dlm", "docs", "texts/a.md"),
        ("../a.dlm", "docs/texts", "a.md"),
        ("../docs/a.dlm", "other", "../docs/texts/a.md"),
        ("{root}/docs/a.dlm", ".", "docs/texts/a.md"),
        ("{root}/docs/a.dlm", "other", "{root}/docs/texts/a.md"),
    ],
)
def test_a_file_is_named_as_one_opens_it_from_here(tmp_path, monkeypatch, document, here, shown):
    for folder in ("docs/texts", "other"):
        (tmp_path / folder).mkdir(parents=True)
    root = tmp_path.resolve()
    monkeypatch.chdir(tmp_path / here)
    found = shown_path(f"{root}/docs/texts/a.md", Path(document.format(root=root)))
    assert str(found) == shown.format(root=root)


def test_a_row_of_a_source_is_at_the_source_and_knows_its_line(parse, doc, plugins):
    document = parse(doc("::instruction::\n### Q\na\n### A\nb\n"))
    section = replace(document.sections[0], source="a.md", span=Span(3, 5), content_line=7)
    (row,) = build_rows(document, [section], plugins)
    assert (row.span, row.source_line, row.line) == (Span(3, 5), 7, 7)
    (row,) = build_rows(document, [replace(section, tells_lines=False)], plugins)
    assert (row.span, row.source_line, row.line) == (Span(3, 5), 0, 3)


def test_rows_of_sources_keep_their_source(parse, doc, plugins):
    document = parse(doc())
    section = replace(document.sections[0], source="src/a.md")
    assert [row.source for row in build_rows(document, [section], plugins)] == ["src/a.md"]


def test_prose_rows(rows):
    (row,) = rows("\n\nOne\n\ntwo  \n")
    assert (row.kind, row.data["text"], row.span.line, row.role) == ("text", "One\n\ntwo  ", 8, "train")


def test_routing(rows):
    body = "p\n::prose#b::\nx\n::instruction::\n### Q\nq\n### A\na\n::instruction#b::\n### Q\nq2\n### A\na\n"
    assert [row.adapters for row in rows(body, "training: {adapters: {b: {}, a: {}, c: {}}}\n")] == [
        ("b", "a", "c"),
        ("b",),
        ("b",),
        ("b",),
    ]
    assert [row.adapters for row in rows(body, "training: {adapters: {a: {}, b: {}}}\n")] == [
        ("a", "b"),
        ("b",),
        ("a",),
        ("b",),
    ]


def test_an_adapter_may_be_called_default(rows):
    (row,) = rows("::prose#default::\nx\n", "training: {adapters: {other: {}, default: {}}}\n")
    assert row.adapters == ("default",)


def test_three_headers_in_order(parse, doc):
    text = "::picky::\n### P\na\n### C\nb\n### R\nc\n### P\nd\n### R\ne\n### C\nf\n### R\n\n"
    section = parse(doc(text)).sections[0]
    found = list(split_groups(section, ("P", "C", "R")))
    assert [item.parts for item in found if isinstance(item, Group)] == [("a", "b", "c")]
    assert [(p.span.line, p.code) for p in found if isinstance(p, Problem)] == [
        (13, "DLM0223"),
        (15, "DLM0223"),
        (17, "DLM0223"),
        (19, "DLM0223"),
    ]


# -- the validation split ---------------------------------------------------------------------------


def test_the_rule_as_the_format_states_it():
    digest = hashlib.sha256(b"42\n0123456789abcdef\n7").digest()
    assert is_validation(42, "0123456789abcdef", 7) == (int.from_bytes(digest[:8], "big") < 0.1 * 2**64)
    share = sum(is_validation(42, f"{n:016x}", 0) for n in range(20_000)) / 20_000
    assert 0.09 < share < 0.11


def numbered(count, role="train"):
    return [replace(chat_row([], Span(1), role), section_id=f"{n:016x}", index=0) for n in range(count)]


def test_small_documents_keep_every_row():
    rows = numbered(19) + numbered(50, "exam")
    train, validation, exam = split_rows(rows, 42)
    assert (train, validation, len(exam)) == (tuple(rows[:19]), (), 50)


def test_only_ordinary_rows_are_set_aside():
    rows = numbered(400) + numbered(400, "probe") + numbered(400, "exam")
    train, validation, exam = split_rows(rows, 42)
    assert {row.role for row in validation} == {"train"}
    assert all(is_validation(42, row.section_id, row.index) for row in validation)
    assert len(train) + len(validation) == 800
    assert sum(row.role == "probe" for row in train) == 400
    assert {row.role for row in exam} == {"exam"}
    assert len(exam) == 400


def test_a_row_stays_on_its_side_when_others_come_and_go():
    rows = numbered(400)
    _, before, _ = split_rows(rows, 1)
    _, after, _ = split_rows([*rows[100:], text_row("new", Span(1))], 1)
    assert [row for row in after if row in rows] == [row for row in before if row in rows[100:]]
    assert split_rows(rows, 2)[1] != before
