"""`dlm check --fix`: what is repaired, and that nothing else of the file changes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.api import Fix, Problem, Span
from dlm_core.fixing import apply_fixes, fix_bytes, fixable, problems_of
from dlm_core.plugins import Plugins
from dlm_core.spelling import certain, closest
from dlm_core.testing.desk import Desk
from tests.wrong_documents import CASES, HEAD, QA, WITH_ADAPTERS, body, front, training

PLUGINS = Plugins.load()
ADAPTERS = WITH_ADAPTERS + QA.replace("tion::", "tion#facts::")

#: name -> (wrong, right)
REPAIRS = {
    "key": (training("num_epoch: 2"), training("num_epochs: 2")),
    "key in capitals": (training("LORA_R: 2"), training("lora_r: 2")),
    "key with a dash": (training("lora-alpha: 2"), training("lora_alpha: 2")),
    "block": (front("trainin:\n  lora_r: 2"), front("training:\n  lora_r: 2")),
    "key in a list": (training("sources:\n  - pth: ."), training("sources:\n  - path: .")),
    "choice": (training("lr_scheduler: cosin"), training("lr_scheduler: cosine")),
    "choice in capitals": (training("precision: FP32"), training("precision: fp32")),
    "choice in quotes": (training("lr_scheduler: 'Linear'"), training('lr_scheduler: "linear"')),
    "yes": (training("cache: {enabled: yes}"), training("cache: {enabled: true}")),
    "off in quotes": (training("cache: {enabled: 'Off'}"), training("cache: {enabled: false}")),
    "flase": (training("cache: {enabled: flase}"), training("cache: {enabled: false}")),
    "fence in capitals": (body(QA.replace("::instruction", "::Instruction")), body(QA)),
    "fence with blanks": (body(QA.replace("::instruction::", ":: instruction ::")), body(QA)),
    "fence indented": (body("  " + QA), body(QA)),
    "section type": (body(QA.replace("instruction", "instrcution")), body(QA)),
    "adapter": (ADAPTERS + "::prose#ton::\nx\n", ADAPTERS + "::prose#tone::\nx\n"),
    "headers": (body(QA.replace("### Q", "### Question").replace("### A", "### answer:")), body(QA)),
    "flag": (body(QA.replace("### Q", "### Q !porbe")), body(QA.replace("### Q", "### Q !probe"))),
    "opener": (body("x\n").replace("---\n", "---  \n", 1), body("x\n")),
    "closer": (body("x\n").replace("tiny\n---\n", "tiny\n--- \n"), body("x\n")),
    "mark": ("\ufeff" + body("x\n"), body("x\n")),
    "everything": (
        "\ufeff" + training("Lora_r: 2\nprecision: Fp32") + ":: Instruction ::\n### q\nq\n### a\na\n",
        training("lora_r: 2\nprecision: fp32") + QA,
    ),
}
#: Near misses that nobody may decide but the author.
DOUBTS = {
    "base": front("").replace("tiny", "tny"),
    "two are near": training("adapter: qora"),
    "far": training("epochs: 2"),
    "key is there already": training("lora_r: 2\nlora_rr: 3"),
    "table in several places": '+++\ndlm_id = "01K9ABCDEFGHJKMNPQRSTVWXYZ"\nbase_model = "tiny"\n[trainin]\n+++\nx\n',
    "closer in a value": f"{HEAD}system_prompt: |\n  one\n  ---\nx\n",
    "fence of an unknown type": body(":: Hello ::\nx\n"),
    "colons in text": body("::hello world::\nx\n"),
    "heading in an answer": body(QA + "### Question\nx\n"),
    "out of range": training("lora_r: 0"),
    "duplicate": training("lora_r: 2\nlora_r: 3"),
    "yess": training("cache: {enabled: yess}"),
}


def fixed(data: bytes, path: Path) -> bytes:
    return fix_bytes(data, problems_of(path, PLUGINS)).after


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", REPAIRS)
def test_a_repair(tmp_path: Path, name: str, end: str) -> None:
    wrong, right = (text.replace("\n", end).encode() for text in REPAIRS[name])
    path = tmp_path / "a.dlm"
    assert fixed(wrong, path) == right
    assert fixable(problems_of(path, PLUGINS)(right)) == 0
    assert fixed(right, path) == right


@pytest.mark.parametrize("name", DOUBTS)
def test_what_is_in_doubt_is_only_said(tmp_path: Path, name: str) -> None:
    data = DOUBTS[name].encode()
    assert fixed(data, tmp_path / "a.dlm") == data


@pytest.mark.parametrize("name", CASES)
def test_a_repair_leaves_no_more_problems_than_before(tmp_path: Path, name: str) -> None:
    find = problems_of(tmp_path / "a.dlm", PLUGINS)
    data = CASES[name][0].encode()
    made = fix_bytes(data, find)
    assert fixable(find(made.after)) == 0
    assert len(find(made.after)) <= len(find(data)) or made.problems


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from([*QA.split("\n"), ":: Prose ::", "### q", "###A:", "::x::", "```", "", "é"]), max_size=9)
)
def test_repairs_come_to_an_end(lines: list[str]) -> None:
    data = f"{HEAD}---\n{chr(10).join(lines)}".encode()
    find = problems_of(Path("/nowhere/a.dlm"), PLUGINS)
    made = fix_bytes(data, find)
    assert fix_bytes(made.after, find).after == made.after
    assert made.after.count(b"\n") == data.count(b"\n")


def test_repairs_touch_only_their_place() -> None:
    data = "\ufeffaé\r\nb\rc\n".encode()
    assert apply_fixes(data, [Fix(Span(1, 0, 1), ""), Fix(Span(2, 1, 1), "xy")]) == "aé\r\nxy\rc\n".encode()
    assert apply_fixes(data, [Fix(Span(1, 2, 1), "e")]) == "\ufeffae\r\nb\rc\n".encode()


def test_repairs_that_overlap_are_made_one_after_the_other() -> None:
    one = Problem(Span(1, 1, 3), "m", fix=Fix(Span(1, 1, 3), "x"))
    other = Problem(Span(1, 2, 1), "m", fix=Fix(Span(1, 2, 1), "y"))
    assert fix_bytes(b"abc", lambda data: [one, other] if data == b"abc" else []).after == b"x"


def test_a_repair_that_does_not_help_is_made_once_at_most() -> None:
    useless = Problem(Span(1), "m", fix=Fix(Span(1, 1, 1), "x"))
    assert fix_bytes(b"abc", lambda data: [useless]).after == b"abc"


def test_the_command_repairs_tells_and_checks_again(dlm_desk: Desk) -> None:
    path = dlm_desk.write(":: Instruction ::\n### Question\nq\n### A\na\n", "training:\n  num_epoch: 2\n  lora_r: 0\n")
    path.chmod(0o640)
    done = dlm_desk.dlm("check", path, "--fix")
    assert done.code == 3
    assert [line.split(" ", 1)[0] for line in done.out.splitlines()] == ["repaired"] * 3
    assert "error[DLM0104]" in done.err
    assert done.err.count("error[") == 1
    assert "--fix" not in done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(found.name for found in path.parent.iterdir()) == ["notes.dlm"]


def test_what_can_be_repaired_is_counted(dlm_desk: Desk) -> None:
    path = dlm_desk.write("Text.\n", "training:\n  num_epoch: 2\n  lora_r: 0\n")
    done = dlm_desk.dlm("check", path)
    assert f"`dlm check {path} --fix` repairs 1 of them" in done.err
    assert "num_epoch:" in path.read_text()


def test_json(dlm_desk: Desk) -> None:
    path = dlm_desk.write("Text.\n", "training:\n  num_epoch: 2\n")
    told = dlm_desk.dlm("check", path, "--json").json["problems"][0]
    assert told["fix"] == {"line": told["line"], "col": 3, "width": 9, "text": "num_epochs"}
    done = dlm_desk.dlm("check", path, "--fix", "--json")
    assert (done.code, done.json["problems"], len(done.json["fixed"])) == (0, [], 1)
    assert json.loads(dlm_desk.dlm("check", path, "--fix", "--json").out)["fixed"] == []


def test_a_right_document_is_not_written(dlm_desk: Desk) -> None:
    path = dlm_desk.write("Text.\n")
    before = path.stat()
    assert "nothing to repair" in dlm_desk.dlm("check", path, "--fix").out
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_changed_meanwhile_is_left_alone(dlm_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dlm_desk.write("Text.\n", "training:\n  num_epoch: 2\n")
    find = problems_of

    def slow(document: Path, plugins: Plugins) -> object:
        path.write_text("somebody else's")
        return find(document, plugins)

    monkeypatch.setattr("dlm_core.fixing.problems_of", slow)
    done = dlm_desk.dlm("check", path, "--fix")
    assert (done.code, path.read_text()) == (1, "somebody else's")
    assert "has changed" in done.err


def test_sources_are_never_repaired(dlm_desk: Desk) -> None:
    (dlm_desk.folder / "texts").mkdir()
    source = dlm_desk.folder / "texts" / "a.txt"
    source.write_text(":: Instruction ::\n### Question\n")
    path = dlm_desk.write("Text.\n", "training:\n  sources:\n    - pth: texts\n")
    assert dlm_desk.dlm("check", path, "--fix").code == 0
    assert source.read_text() == ":: Instruction ::\n### Question\n"


CHOICES = ["lora", "qlora", "dora"]


@pytest.mark.parametrize(
    ("word", "meant"), [("LoRA", "lora"), ("lroa", "lora"), ("qora", None), ("lo", None), ("loraxx", None), ("", None)]
)
def test_what_is_beyond_doubt(word: str, meant: str | None) -> None:
    assert certain(word, CHOICES) == meant


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("smollm2-135", ["smollm2-135m", "smollm2-360m", "tiny"], "smollm2-135m"),
        ("chek", ["check", "chat", "export"], "check"),
        ("CHECK", ["check"], "check"),
        ("instruct", ["prose", "instruction"], "instruction"),
        ("instr", ["prose", "instruction"], "instruction"),
        ("xyz", ["prose", "instruction"], None),
        ("", ["prose"], None),
    ],
)
def test_what_comes_closest(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, known) == meant


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc", "x"], "check"),
        (["init", "x.dlm", "--base", "nul-base"], "null-base"),
        (["init", "x.dlm", "--template", "note"], "notes"),
        (["run", "DOC", "--runner", "heer"], "here"),
        (["run", "DOC", "--export", "adaptr"], "adapter"),
        (["run", "DOC", "--long-rows", "cutt"], "cut"),
        (["run", "DOC", "--no-exprot"], "--no-export"),
        (["plugins", "--why", "nul"], "null"),
        (["explain", "DLM011"], "did you mean DLM0"),
    ],
)
def test_the_closest_is_named(dlm_desk: Desk, words: list[str], said: str) -> None:
    path = dlm_desk.write("Text.\n")
    done = dlm_desk.dlm(*[str(path) if word == "DOC" else word for word in words])
    assert done.code == 2
    assert said in done.err


def test_a_diff_shows_the_repair_and_makes_none(dlm_desk: Desk) -> None:
    path = dlm_desk.folder / "notes.dlm"
    path.write_text(training("num_epoch: 2\nnonsense_here: 1"))
    before = path.read_bytes()
    shown = dlm_desk.dlm("check", path, "--fix", "--diff")
    assert path.read_bytes() == before
    assert "-  num_epoch: 2\n+  num_epochs: 2\n" in shown.out
    assert "repaired" not in shown.out
    assert (shown.code, shown.err.count("error[DLM0101]")) == (3, 2)
    value = json.loads(dlm_desk.dlm("check", path, "--fix", "--diff", "--json").out)
    assert "+  num_epochs: 2" in value["diff"]
    assert [(one["line"], one["code"]) for one in value["fixed"]] == [(6, "DLM0101")]
    assert path.read_bytes() == before
    assert dlm_desk.dlm("check", path, "--diff").code == 2


def test_a_diff_of_nothing_says_so(dlm_desk: Desk) -> None:
    path = dlm_desk.folder / "notes.dlm"
    path.write_text(training("num_epochs: 2"))
    assert "nothing to repair" in dlm_desk.dlm("check", path, "--fix", "--diff").out
    assert "diff" not in json.loads(dlm_desk.dlm("check", path, "--fix", "--json").out)
