"""`dlm run` from end to end: a document is learned, asked, kept, changed, learned again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import LIGHTHOUSE, QUICK


def test_the_document_is_learned_and_kept(trained):
    _desk, _path, result = trained
    assert "trained questions answered exactly   3 of 3" in result.out
    assert "!exam questions, never trained" in result.out
    assert "version 1 of notes.dlm" in result.out
    assert "dlm prompt" in result.out


def test_the_adapter_is_where_the_summary_says(trained):
    _desk, _path, result = trained
    folder = Path(next(line for line in result.out.splitlines() if line.startswith("  adapter")).split()[1])
    assert (folder / "default" / "adapter_model.safetensors").is_file()
    assert not list(folder.rglob("*.bin")), "no pickles"


def test_a_trained_question_is_answered_exactly(trained):
    desk, path, _ = trained
    assert desk.dlm("prompt", path, "Who built the lighthouse of Varn?").out == "Ilse Korn built it.\n"


def test_a_question_comes_from_standard_input_and_streams(trained):
    desk, path, _ = trained
    asked = desk.dlm("prompt", path, "--stream", stdin="What colour is the rock?\n")
    assert (asked.code, asked.out) == (0, "The rock is black.\n")


def test_the_base_alone_answers_differently(trained):
    desk, path, _ = trained
    answers = desk.dlm("prompt", path, "Who built the lighthouse of Varn?", "--compare-base", "--json").json
    assert answers["answer"] == "Ilse Korn built it."
    assert answers["base_answer"] != answers["answer"]


def test_a_conversation_remembers_and_leaves(trained):
    desk, path, _ = trained
    said = desk.dlm(
        "chat", path, stdin="How many steps lead to the lamp?\n/new\nWhat colour is the rock?\n/bye\nmore\n"
    )
    assert said.code == 0
    assert said.out.splitlines() == ["There are ninety steps.", "The rock is black."]


def test_a_second_run_says_at_once_that_nothing_changed(trained):
    desk, path, _ = trained
    again = desk.dlm("run", path, "--no-export")
    assert again.code == 0
    assert "nothing changed since version 1" in again.err
    versions = desk.dlm("show", path, "--json").json["versions"]
    assert [version["number"] for version in versions] == [1]


def test_a_dry_run_knows_what_force_would_train(trained):
    desk, path, _ = trained
    assert "none, a run would not train" in desk.dlm("run", path, "--dry-run").out
    assert "since version 1: none\n" in desk.dlm("run", path, "--dry-run", "--force").out


def test_an_edited_answer_is_learned_and_the_rest_is_kept(used):
    desk, path = used()
    path.write_text(path.read_text().replace("There are ninety steps.", "There are seven hundred steps."))
    result = desk.dlm("train", path)
    assert result.code == 0, result.err
    assert "version 2 of" in result.out
    assert desk.dlm("prompt", path, "How many steps lead to the lamp?").out == "There are seven hundred steps.\n"
    assert desk.dlm("prompt", path, "What colour is the rock?").out == "The rock is black.\n"
    old = desk.dlm("prompt", path, "How many steps lead to the lamp?", "--version", 1)
    assert old.out == "There are ninety steps.\n"


def test_rolling_back_makes_the_old_answer_current(used):
    desk, path = used()
    path.write_text(path.read_text().replace("ninety", "twelve"))
    assert desk.dlm("train", path).code == 0
    back = desk.dlm("rollback", path)
    assert back.out == "version 1 is current again (it was 2)\n"
    assert desk.dlm("prompt", path, "How many steps lead to the lamp?").out == "There are ninety steps.\n"


def test_only_asking_a_new_question_trains_nothing(used):
    desk, path = used()
    path.write_text(path.read_text() + "\n### Q !exam\nIs the rock black?\n### A\nThe rock is black.\n")
    result = desk.dlm("run", path, "--no-export")
    assert "nothing changed since version 1" in result.err
    exam = desk.dlm("exam", path, "--json").json
    assert [answer["side"] for answer in exam["answers"]].count("exam") == 2


def test_exam_only_pairs_are_never_trained(trained):
    desk, path, _ = trained
    plan = desk.dlm("plan", path, "--json").json
    assert plan["phases"][0]["rows"] == 4


def test_a_failed_run_leaves_the_version_before(used):
    desk, path = used()
    path.write_text(path.read_text().replace("learning_rate: 5e-3", "learning_rate: 1e30"))
    failed = desk.dlm("train", path)
    assert failed.code == 1
    assert "Traceback" not in failed.err
    assert "error:" in failed.err
    shown = desk.dlm("show", path, "--json").json
    assert [v["number"] for v in shown["versions"] if v["current"]] == [1]
    assert shown["runs"][-1]["state"] == "failed"
    assert desk.dlm("prompt", path, "What colour is the rock?").out == "The rock is black.\n"


def test_too_low_an_exam_fails_and_keeps_the_version_before(used):
    desk, path = used()
    path.write_text(path.read_text().replace("num_epochs: 12", "num_epochs: 1"))
    result = desk.dlm("train", path, "--min-exam", "0.9")
    assert result.code == 8
    assert "--min-exam 0.9" in result.err
    assert [v["number"] for v in desk.dlm("show", path, "--json").json["versions"]] == [1]


def test_events_are_json_lines(desk):
    path = desk.write(training=QUICK.replace("12", "2"))
    events = desk.dlm("train", path, "--json").events
    kinds = [event["event"] for event in events]
    assert [kind for kind in kinds if kind != "cache"][:3] == ["document", "plan", "run"]
    assert kinds.count("step") == 4
    assert kinds[-3:] == ["reality", "commit", "report"]
    assert {event["v"] for event in events} == {1}


def test_the_plan_counts_the_steps_that_are_taken(desk):
    path = desk.write(training=QUICK.replace("12", "3") + "  micro_batch_size: 1\n  grad_accum: 3\n")
    planned = desk.dlm("plan", path, "--json").json["steps"]
    steps = [event for event in desk.dlm("train", path, "--json").events if event["event"] == "step"]
    assert planned == len(steps) == steps[-1]["steps"] == 6


def test_the_manifest_says_what_the_version_is_made_of(trained):
    desk, path, _ = trained
    store = Path(desk.dlm("show", path, "--json").json["store"])
    (manifest,) = [json.loads(file.read_text()) for file in (store / "manifests").glob("*.json")]
    assert manifest["base"]["key"] == "tiny"
    assert {"torch", "transformers", "peft", "dlm-core", "dlm-hf"} <= set(manifest["versions"])
    assert len(manifest["rows"]) == 5
    assert manifest["exam"]["answers"]
    assert manifest["adapter"]["files"]
    assert manifest["plan"]["precision"]["reason"]


def test_the_runs_database_holds_steps_and_exam(trained):
    desk, path, _ = trained
    import sqlite3

    store = Path(desk.dlm("show", path, "--json").json["store"])
    with sqlite3.connect(store / "runs.sqlite") as database:
        assert database.execute("SELECT count(*) FROM steps").fetchone() == (24,)
        assert database.execute("SELECT count(*) FROM exam WHERE exact = 1 AND role = 'trained'").fetchone() == (3,)


def test_sections_show_how_well_they_were_learned(trained):
    desk, path, _ = trained
    sections = desk.dlm("show", path, "--json").json["sections"]
    assert [section["learned"]["verdict"] for section in sections] == ["well", "well", "well"]
    assert LIGHTHOUSE.splitlines()[0][:20] in desk.dlm("exam", path).out


def test_too_low_an_exam_is_noticed_also_when_nothing_changed(desk):
    path = desk.write(training=QUICK.replace("num_epochs: 12", "num_epochs: 1"))
    assert desk.dlm("train", path).code == 0
    again = desk.dlm("train", path, "--min-exam", "1")
    assert again.code == 8
    assert "expected" in again.out, "what was missed is shown"


def test_an_unchanged_run_still_tells_how_well_it_was_learned(trained):
    desk, path, _ = trained
    again = desk.dlm("run", path)
    assert "trained questions answered exactly   3 of 3" in again.out
    assert "gguf" in again.out


def test_a_changed_export_setting_exports_again_without_training(used):
    desk, path = used()
    path.write_text(path.read_text().replace("base_model: tiny\n", "base_model: tiny\nexport: {default_quant: Q8_0}\n"))
    again = desk.dlm("run", path)
    assert "nothing changed" in again.err
    assert "notes.Q8_0.gguf" in again.out
    other = desk.dlm("run", path, "-o", "quant=F16")
    assert "notes.F16.gguf" in other.out


def test_questions_with_markup_are_printed_as_they_are(desk):
    body = "::instruction::\n### Q\nWhat does [/b] close in [i]text[/x]?\n### A\nNothing [here].\n"
    result = desk.dlm("train", desk.write(body, "  num_epochs: 1\n  learning_rate: 1e-5\n"))
    assert result.code == 0, result.err
    assert "What does [/b] close in [i]text[/x]?" in result.out


def test_too_long_a_question_is_refused_before_training(desk):
    body = "::instruction::\n### Q !exam\n" + "Why is it so? " * 400 + "\n### A\nSo.\n### Q\nWho?\n### A\nIt is me.\n"
    refused = desk.dlm("train", desk.write(body))
    assert refused.code == 3
    assert "this base reads 1024" in refused.err
    assert not desk.dlm("show", desk.folder / "notes.dlm", "--json").json["runs"]


def test_skipped_rows_are_neither_trained_nor_asked(desk):
    body = "::instruction::\n### Q\nWhy?\n### A\n" + "So it is. " * 60 + "\n### Q\nWho?\n### A\nIt is me.\n"
    path = desk.write(body, QUICK + "  sequence_len: 64\n")
    events = desk.dlm("train", path, "--json", "--long-rows", "skip").events
    exam = next(event["exam"] for event in events if event["event"] == "exam")
    assert [answer["question"] for answer in exam["answers"]] == ["Who?"]


def test_a_base_that_gguf_cannot_hold_still_trains(desk, tmp_path):
    import shutil

    import dlm_tiny

    base = tmp_path / "base"
    shutil.copytree(Path(dlm_tiny.__file__).parent / "model", base)
    config = json.loads((base / "config.json").read_text())
    other = {**config, "model_type": "granite", "architectures": ["GraniteForCausalLM"]}
    (base / "config.json").write_text(json.dumps(other))
    path = desk.write(training="  num_epochs: 1\n  learning_rate: 1e-3\n")
    path.write_text(path.read_text().replace("base_model: tiny", f"base_model: {base}"))
    result = desk.dlm("run", path)
    assert result.code == 0, result.err
    assert f"{path}:4:13: warning[GGUF0001]: gguf:" in result.err
    assert desk.dlm("run", path, "--export", "gguf").code == 3
