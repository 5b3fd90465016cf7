"""The body: bytes, fences, code blocks, ids, routing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dlm_core.api import DocumentError, Span, UsageError
from dlm_core.document import media_id, parse_document, read_document, section_id

QA = "### Q\nq\n### A\na\n"


def outline(document):
    return [(s.type, s.adapter, s.content, s.span.line, s.content_line) for s in document.sections]


def test_sections_and_their_lines(parse, doc):
    body = f"\n\nOne.\n\n# Two\n\n::instruction::   \n\n{QA}\n::prose::\n\n\n::prose::\n  three  \n\n"
    assert outline(parse(doc(body))) == [
        ("prose", None, "One.\n\n# Two", 8, 8),
        ("instruction", None, QA.strip(), 12, 14),
        ("prose", None, "  three  ", 22, 23),
    ]


def test_fence_forms(parse, doc, tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    front = "training: {adapters: {tone: {}}}\n"
    body = '::prose#tone::\nx\n::picture path="a.png"::\n::picture#tone   path="a.png"\talt="a :: b" :: \ntext\n'
    sections = parse(doc(body, front), tmp_path / "a.dlm").sections
    assert [(s.type, s.adapter, dict(s.attrs), s.content) for s in sections] == [
        ("prose", "tone", {}, "x"),
        ("picture", None, {"path": "a.png"}, ""),
        ("picture", "tone", {"path": "a.png", "alt": "a :: b"}, "text"),
    ]
    assert sections[0].span == Span(7, 1, 14)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("::instruction ::", "::instruction::"),
        ("::Instruction::", "::instruction::"),
        (":: instruction::", "::instruction::"),
        ("::picture path='x.png'::", '::picture path="x.png"::'),
        (" ::instruction::", "::instruction::"),
        ("   ::prose#a::", "::prose#a::"),
        ("::prose#A::", "::prose#a::"),
        ("::prose#::", None),
        ("::prose#a#b::", None),
        ("::my-type::", None),
        ("::a b::", None),
    ],
)
def test_lookalikes_stay_text_and_are_warned_about(parse, doc, line, meant):
    document = parse(doc(f"x\n{line}\ny\n"))
    assert [s.content for s in document.sections] == [f"x\n{line}\ny"]
    (warning,) = document.warnings
    assert (warning.severity, warning.code, warning.span.line) == ("warning", "DLM0203", 7)
    assert warning.hint == (f"write `{meant}`" if meant else warning.hint)
    assert meant or "a fence is" in warning.hint


@pytest.mark.parametrize(
    "line", ["::", "::::", "::x", "x::", "std::vector::", "    ::prose::", "a ::prose::", ":prose:"]
)
def test_ordinary_text_gets_no_warning(parse, doc, line):
    document = parse(doc(f"x\n{line}\ny\n"))
    assert document.warnings == ()
    assert [s.content for s in document.sections] == [f"x\n{line}\ny"]


@pytest.mark.parametrize(
    "block",
    [
        "```\n::foo::\n```",
        "```python\n::foo::\n```  ",
        "````\n```\n::foo::\n````",
        "```\n::foo::\n`````",
        "~~~\n::foo::\n```\n::foo::\n~~~",
        "~~~ a `b`\n::foo::\n~~~~",
        "```\n::foo::\n   ```",
        "```\n```x\n::foo::\n```",
        "```\n ::prose::\n```",
        "```\n```",
        "```\n::foo::\n```\n```\n::foo::\n```",
    ],
)
def test_nothing_inside_a_code_block_is_a_fence(parse, doc, block):
    document = parse(doc(f"{block}\n::prose::\nafter\n"))
    assert [s.content for s in document.sections] == [block.rstrip(), "after"] or document.sections[0].content == block
    assert document.sections[-1].content == "after"
    assert document.warnings == ()


@pytest.mark.parametrize("line", ["```x```", " ```", "``", "~~", "x```", "````a`b"])
def test_what_does_not_open_a_code_block(parse, doc, line):
    assert [s.content for s in parse(doc(f"{line}\n::prose::\nafter\n")).sections] == [line, "after"]


@pytest.mark.parametrize(
    "block", ["```\n    ```\n", "```\n```x\n", "````\n```\n", "```\n~~~\n", "~~~\n~~~ x\n", "x\n```"]
)
def test_what_does_not_close_a_code_block(problems, doc, block):
    (problem,) = problems(doc(block))
    assert problem.code == "DLM0204"
    assert problem.span.line == (7 if block.startswith("x") else 6)


def test_section_ids(parse, doc):
    section = parse(doc(f"::instruction::\n\n{QA}\n")).sections[0]
    assert section.id == hashlib.sha256(f"instruction\n{QA.strip()}".encode()).hexdigest()[:16]
    assert section_id("prose", "é") == hashlib.sha256("prose\né".encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("---\nOne", "---\n\n\nOne"),
        lambda text: text + "\n \n",
    ],
)
def test_ids_do_not_depend_on_line_ends(parse, doc, change):
    text = doc(f'One\n\ntwo é\n::instruction::\n<!-- dlm-auto-harvest: source="x" -->\n{QA}::prose::\n```\n\n```\n')
    expected = [(s.id, s.content) for s in parse(text).sections]
    assert len(expected) == 3
    assert [(s.id, s.content) for s in parse(change(text)).sections] == expected


def test_ids_leave_out_adapter_markers_and_other_attributes(parse, doc, tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    front = "training: {adapters: {a: {}}}\n"
    marker = '<!-- dlm-auto-harvest: source="x" -->'
    body = f'::picky::\nx\n::picky#a::\n{marker}\n\nx\n::picture path="a.png"::\n::picture path="a.png" alt="b"::\n'
    one, two, three, four = parse(doc(body, front), tmp_path / "a.dlm").sections
    assert one.id == two.id == section_id("picky", "x")
    assert three.id == four.id == media_id("picture", "a.png", hashlib.sha256(b"png").hexdigest())
    assert media_id("picture", "p", "s") == hashlib.sha256(b"picture\np\ns").hexdigest()[:16]
    assert (two.content_line, two.markers[0].name, dict(two.markers[0].values)) == (
        12,
        "dlm-auto-harvest",
        {"source": "x"},
    )


def test_markers_are_read_and_taken_out(parse, doc):
    lines = (
        '<!-- dlm-auto-synth: synth_teacher="t x" synth_strategy="s" synth_at="2026-04-23T18:42:11Z"'
        ' source_section_id="0123456789abcdef" -->\n<!--dlm-auto-harvest: source="y"-->  \n'
    )
    (section,) = parse(doc(f"::instruction::\n\n{lines}{QA}")).sections
    assert [m.name for m in section.markers] == ["dlm-auto-synth", "dlm-auto-harvest"]
    assert section.markers[0].values["synth_teacher"] == "t x"
    assert [m.span.line for m in section.markers] == [8, 9]
    assert (section.content, section.content_line) == (QA.strip(), 10)


@pytest.mark.parametrize("comment", ["<!-- hello -->", "<!-- dlm-other: x -->", "x <!-- dlm-auto-synth: -->"])
def test_other_comments_are_text(parse, doc, comment):
    assert parse(doc(f"{comment}\nx\n")).sections[0].content == f"{comment}\nx"


def test_a_marker_counts_only_on_the_first_lines(parse, doc):
    content = 'x\n<!-- dlm-auto-synth: synth_teacher="t" -->'
    assert parse(doc(content + "\n")).sections[0].content == content


def test_undecodable_bytes_name_their_offset(problems, doc):
    data = doc("é\nab").encode() + b"c\xff\n"
    (problem,) = problems(data)
    assert (problem.span, problem.code) == (Span(7, 4), "DLM0213")
    assert f"offset {len(data) - 2}" in problem.message


def test_a_byte_order_mark_is_dropped_with_a_warning(parse, doc):
    document = parse("\ufeff" + doc())
    assert [(w.code, w.severity) for w in document.warnings] == [("DLM0214", "warning")]
    assert document.sections[0].content == "Hello."


@pytest.mark.parametrize("char", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_lf_ends_a_line(parse, doc, char):
    document = parse(doc(f"a{char}::foo::\nb\n::instruction::\n### Q\nq{char}r\n### A\na\n"))
    assert [s.content_line for s in document.sections] == [6, 9]
    assert document.sections[0].content == f"a{char}::foo::\nb"


def test_a_dashed_line_inside_a_block_scalar_does_not_close(parse, doc):
    document = parse(doc(front="system_prompt: |\n  a\n  ---\n  b\n"))
    assert document.system_prompt == "a\n---\nb\n"


def test_a_second_dashed_line_is_body(parse, doc):
    assert parse(doc("a\n---\nb\n")).sections[0].content == "a\n---\nb"


@pytest.mark.parametrize("body", ["", "\n", " \n\t\n", "::prose::\n\n", "\u00a0\n"])
def test_empty_prose_is_dropped(parse, doc, body):
    assert parse(doc(body)).sections == ()


def test_hash_and_identity(plugins, doc):
    data = doc().encode()
    document = parse_document(data, Path("x.dlm"), plugins)
    assert document.sha256 == hashlib.sha256(data).hexdigest()
    assert (document.id, document.base_model) == ("01K9ABCDEFGHJKMNPQRSTVWXYZ", "tiny")


def test_reading_files(tmp_path, plugins, doc):
    file = tmp_path / "a.dlm"
    file.write_text(doc(), encoding="utf-8")
    assert read_document(file, plugins).path == file
    with pytest.raises(UsageError, match="No such file"):
        read_document(tmp_path / "b.dlm", plugins)
    with pytest.raises(UsageError, match="directory"):
        read_document(tmp_path, plugins)
    file.write_text("nothing", encoding="utf-8")
    with pytest.raises(DocumentError):
        read_document(file, plugins)
