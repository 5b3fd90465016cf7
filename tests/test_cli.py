"""The command line itself: light, helpful, with exit codes that mean something."""

from __future__ import annotations

import pytest

COMMANDS = tuple(
    "run init check plan train exam export prompt chat show rollback bases plugins doctor".split()  # noqa: SIM905
)


def test_help_lists_every_command(desk):
    helped = desk.dlm("--help")
    assert helped.code == 0
    for name in [
        "run",
        "init",
        "check",
        "plan",
        "train",
        "exam",
        "export",
        "prompt",
        "chat",
        "show",
        "rollback",
        "bases",
        "plugins",
        "doctor",
    ]:
        assert f"\n  {name} " in helped.out
        assert desk.dlm(name, "--help").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["trian", "x.dlm"], 2, "Did you mean 'train'"),
        (["run"], 2, "Missing argument"),
        (["run", "nowhere.dlm"], 2, "does not exist"),
        (["run", "--exprot", "gguf"], 2, "Did you mean"),
        (["-P", "gguf", "plugins"], 2, "no:NAME"),
        (["plugins", "--why", "nothing"], 2, "no plugin 'nothing'"),
        (["init"], 2, "which document?"),
        (["init", "nowhere/x.dlm"], 2, "there is no folder"),
        (["init", "x.dlm", "--template", "nothing"], 2, "no template"),
        (["init", "x.dlm", "--base", "tiyn"], 2, "did you mean `tiny`?"),
        (["bases", "zzzz"], 2, "no base model matches"),
        (["export"], 2, "which document?"),
        (["export", "--list", "--to", "x"], 0, ""),
    ],
)
def test_wrong_usage_is_one_clear_message(desk, arguments, code, said):
    result = desk.dlm(*arguments)
    assert (result.code, said in result.err, "Traceback" in result.err) == (code, True, False), result.err
    assert not list(desk.folder.iterdir())


@pytest.mark.parametrize(
    ("front", "body", "code", "said"),
    [
        ("lora_rr: 3", "text", 3, "did you mean `lora_r`"),
        ("lora_r: 0", "text", 3, "notes.dlm:6:11"),
        ("lora_r: 8", "::image path='a'::\n", 0, "looks like a section fence"),
        ("lora_r: 8", "::instruction::\n### Q\nWhy?\n", 3, "notes.dlm:9:1"),
    ],
)
def test_a_wrong_document_points_at_the_place(desk, front, body, code, said):
    result = desk.dlm("check", desk.write(body, f"  {front}\n"))
    assert (result.code, said in result.err, "Traceback" in result.err) == (code, True, False), result.err


def test_a_missing_engine_names_the_package(desk):
    result = desk.dlm("-P", "no:hf", "train", desk.write())
    assert result.code == 5
    assert "dlm-hf" in result.err
    assert not desk.home.exists()


def test_an_unknown_base_is_suggested(desk):
    path = desk.write()
    path.write_text(path.read_text().replace("tiny", "tinny"))
    result = desk.dlm("check", path)
    assert result.code == 3
    assert "notes.dlm:4:" in result.err
    assert "did you mean `tiny`?" in result.err


def test_all_that_is_wrong_is_said_in_one_pass(desk):
    path = desk.write("::instruction::\n### Q\nWhy?\n", "  optimizer: galore_adamw\n  sources: [{path: nowhere}]\n")
    path.write_text(path.read_text().replace("base_model: tiny", "base_model: tinny"))
    result = desk.dlm("check", path)
    assert result.code == 3
    for said in ("did you mean `tiny`?", "the source nowhere does not exist", "notes.dlm:10:1"):
        assert said in result.err
    assert "10 | ### Q" in result.err, "the line itself is shown"


def test_without_a_version_there_is_nothing_to_ask(desk):
    result = desk.dlm("prompt", desk.write(), "Who?")
    assert result.code == 2
    assert "dlm run" in result.err


def test_init_writes_a_document_that_passes(desk):
    path = desk.folder / "new.dlm"
    assert desk.dlm("init", path).code == 0
    assert desk.dlm("check", path).code == 0
    assert "base_model: tiny" in path.read_text()
    again = desk.dlm("init", path)
    assert again.code == 2
    assert "--force" in again.err


def test_a_name_with_blanks_is_quoted_in_what_to_type_next(desk):
    made = desk.dlm("init", "my [notes].dlm")
    wanted = "dlm run 'my [notes].dlm'"
    assert wanted in made.out
    for options in ([], ["--learned"], ["--report"]):
        shown = desk.dlm("show", "my [notes].dlm", *options)
        assert wanted in shown.out + shown.err, options
    assert "dlm set 'my [notes].dlm' " in desk.dlm("set", "my [notes].dlm").err


def test_doctor_is_content_here_and_names_what_is_missing(desk):
    assert desk.dlm("doctor").code == 0
    broken = desk.dlm("-P", "no:hf", "doctor")
    assert broken.code == 5
    assert "dlm-hf" in broken.out


def test_python_dash_m_is_the_same_command(desk):
    assert desk.dlm("--version").out.startswith("dlm 0.")


def test_a_missing_trainer_is_said_once_for_all_its_rows(desk):
    result = desk.dlm("-P", "no:hf", "check", desk.write())
    assert result.err.count("no installed trainer takes") == 2
    assert "'chat' rows; 3 rows, this is the first" in result.err


@pytest.mark.parametrize("line", ["plugins", "plugins --why hf", "doctor", "bases", "export --list", "show notes.dlm"])
def test_no_line_in_a_pipe_ends_in_blanks(desk, line):
    desk.write()
    out = desk.dlm(*line.split()).out
    assert [text for text in out.splitlines() if text != text.rstrip()] == []
    assert out.strip()


@pytest.mark.parametrize(
    ("line", "meant"),
    [("plan notes.dlm --long-rows ski", "skip"), ("plugin new x --kind section-typ", "section-type")],
)
def test_a_misspelt_choice_is_answered_with_the_closest(desk, line, meant):
    desk.write()
    result = desk.dlm(*line.split())
    assert (result.code, f"Did you mean '{meant}'?" in result.err) == (2, True), result.err
