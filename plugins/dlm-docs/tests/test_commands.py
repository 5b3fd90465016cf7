"""Files of each kind by way of the `dlm` command: what is taken, what is told, and what is learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlm_core.testing.desk import Desk
from dlm_docs import plugin
from dlm_docs.testing import cell, chapter, docx, epub, notebook, paragraph, pdf, run

SOURCES = "training:\n  sources: [{path: files}]"
TEXT = "The lamp of Varn is lit at dusk."
SMUGGLED = "::instruction::\n### Q\nSmuggled?\n### A\nYes.\n::prose::\n"
FILES: dict[str, bytes] = {
    "a.ipynb": notebook(cell("markdown", TEXT), cell("code", SMUGGLED)),
    "b.html": f"<title>Varn</title><p>{TEXT}</p><pre>{SMUGGLED}</pre>".encode(),
    "c.pdf": pdf([[TEXT, "::instruction::", "### Q", "Smuggled?", "### A", "Yes."]]),
    "d.docx": docx("".join(paragraph(run(line)) for line in [TEXT, *SMUGGLED.split()])),
    "e.epub": epub({"one.xhtml": chapter("One", f"{TEXT} ::instruction::"), "two.xhtml": chapter("Two", TEXT)}),
}
PAIRS = [
    ("Who keeps the lamp of Varn?", "Oda Vell keeps the lamp."),
    ("What is on the sill?", "A jar\n\n### A\nof oil."),
]


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    return dlm_desk.use(plugin)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with the engine and the embedded base."""
    engine, base = pytest.importorskip("dlm_hf.plugin"), pytest.importorskip("dlm_tiny.plugin")
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Desk(tmp_path, null=False).use(engine, base, plugin)


def fill(desk: Desk, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (desk.folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / "files" / name).write_bytes(data)


def test_every_kind_is_taken_and_opens_no_section(desk: Desk) -> None:
    fill(desk, FILES)
    rows = desk.rows("", SOURCES)
    assert [row.source for row in rows] == ["a.ipynb", "b.html", "c.pdf", "d.docx", "e.epub", "e.epub"]
    assert {row.kind for row in rows} == {"text"}
    assert all(f"# source: {row.source}\n\n" in row.data["text"] and TEXT in row.data["text"] for row in rows)
    assert all("::instruction::" in row.data["text"] for row in rows[:5])


def test_check_counts_what_was_taken_and_names_what_was_not(desk: Desk) -> None:
    broken = {"f.csv": b"name,depth\nBay,12\n", "g.pdf": pdf([[]]), "h.epub": b"PK"}
    table = b'question,answer\nWho?,Oda\nWhere?,"Here",now\n'
    fill(desk, {**FILES, **broken, "faq.csv": table})
    said = desk.dlm("check", desk.write("The ferry.", SOURCES), "--json")
    assert said.code == 0
    assert said.json["sources"]["files"] == {"taken": 6, "file": 3}
    told = {
        (problem["code"], problem["file"], problem["line"]): problem["message"] for problem in said.json["problems"]
    }
    assert told["DOC0001", "files/faq.csv", 3] == "this row is left out: it has 3 fields, the header has 2"
    skipped = sorted(problem["message"] for problem in said.json["problems"] if problem["code"] == "DLM0504")
    assert skipped[0].startswith("skipped f.csv: no column is recognised among 'name', 'depth'; name them question and")
    assert skipped[1] == "skipped g.pdf: no text, it looks scanned"
    assert skipped[2] == "skipped h.epub: damaged: File is not a zip file"


def test_a_long_row_of_a_file_is_told_at_its_source_and_shown_with_its_line(tiny: Desk) -> None:
    pairs = [{"question": "Who?", "answer": "Oda."}, {"question": "What?", "answer": "word " * 300}]
    fill(tiny, {"q.jsonl": "\n".join(map(json.dumps, pairs)).encode()})
    path = tiny.write("", f"base_model: tiny\n{SOURCES}".replace("training:", "training:\n  sequence_len: 64"))
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if "path:" in line)
    refused = tiny.dlm("plan", path)
    assert refused.code == 3
    assert "more than training.sequence_len (from q.jsonl, line 2)\n" in refused.err
    assert f"--> {path}:{number}:" in refused.err
    shown = tiny.dlm("tokens", f"{path}:{number}").out
    assert [line.partition("  chat")[0] for line in shown.splitlines() if line.startswith("row ")] == [
        "row 1 of 2  q.jsonl (line 1)",
        "row 2 of 2  q.jsonl (line 2)",
    ]


@pytest.mark.parametrize("name", [*FILES, "q.csv", "q.jsonl", "q.json"])
def test_a_plan_for_each_kind(tiny: Desk, name: str) -> None:
    pairs = [{"question": question, "answer": answer} for question, answer in PAIRS]
    more = {
        "q.csv": b'question,answer\n"Who?","Oda"\n',
        "q.jsonl": "\n".join(map(json.dumps, pairs)).encode(),
        "q.json": json.dumps(pairs).encode(),
    }
    fill(tiny, {name: {**FILES, **more}[name]})
    said = tiny.dlm("plan", tiny.write("", f"base_model: tiny\n{SOURCES}"), "--json")
    assert said.code == 0, said.err
    assert tiny.dlm("show", tiny.folder / "notes.dlm", "--why", tiny.folder / "files" / name).out.count("taken") == 1


def test_a_pair_has_the_same_id_in_a_file_and_in_the_document(desk: Desk) -> None:
    question, answer = PAIRS[0]
    fill(desk, {"faq.csv": f"question,answer\n{question},{answer}\n".encode()})
    own, read = desk.rows(f"::instruction::\n### Q\n{question}\n### A\n{answer}", SOURCES)
    assert own.key == read.key


def test_a_conversation_in_a_document(desk: Desk) -> None:
    talk = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Oda."}]
    (problem,) = desk.check(f"::conversation::\n{json.dumps(talk)}\n\n{json.dumps(talk[:1])}")
    assert (problem.code, problem.message) == (
        "DOC0002",
        "not a conversation: it does not end with an answer of the assistant",
    )
    (row,) = desk.rows(f"::conversation::\n{json.dumps(talk)}")
    assert (row.answer, row.span.line) == ("Oda.", 7)


def test_what_stands_in_json_lines_is_learned_and_asked(tiny: Desk) -> None:
    question, answer = PAIRS[0]
    turns = ["What is on the sill?", "A jar of oil.", "And under it?", "A box of wicks."]
    talk = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(turns)]
    lines = [{"question": question, "answer": answer}, {"messages": talk}]
    fill(tiny, {"faq.jsonl": "\n".join(map(json.dumps, lines)).encode()})
    quick = "  lora_r: 16\n  lora_alpha: 32\n  lora_dropout: 0\n  learning_rate: 5e-3\n  num_epochs: 20"
    said = tiny.run("", "--no-export", front=f"base_model: tiny\n{SOURCES}\n{quick}")
    assert said.code == 0, said.err
    assert said.answers == {question: answer, turns[-2]: turns[-1]}
