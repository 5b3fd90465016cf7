"""The truth about a run: what was planned beside what was done, and which sections were learned."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from dlm_core.api import Batch
from dlm_core.planning.batch import largest_batch
from dlm_core.units import change_text

PAIRS = """
The lighthouse of Varn stands on a rock.

::instruction::
### Q !probe
Who built it?
### A
Ilse Korn built it.

::instruction::
### Q !probe
How many steps?
### A
There are ninety.
"""


def test_a_real_run_takes_about_what_was_planned(trained) -> None:
    desk, path, result = trained
    version = desk.dlm("show", path, "--json").json
    reality = version["runs"][0]["reality"]
    for name in ("rows", "tokens", "steps"):
        assert reality[name]["real"] == reality[name]["planned"] > 0, name
    memory = reality["memory"]
    assert 0.6 < memory["real"] / memory["planned"] < 1.5, memory
    assert 0 < reality["in_steps"] < reality["seconds"]["real"]
    lines = result.out[result.out.index("plan and reality") :].splitlines()
    assert lines[2] == "  steps    24 planned, 24 done"
    assert "planned" in lines[3]
    assert "peak" in lines[3]
    assert "taken" in lines[4]


def test_reality_is_kept_with_the_version_and_the_run(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    said = dlm_desk.run(path).event("reality")
    store = Path(dlm_desk.dlm("show", path, "--json").json["store"])
    from dlm_core.store import Store

    kept = Store(store).current().manifest["reality"]
    assert kept == {name: said[name] for name in kept}
    with sqlite3.connect(store / "runs.sqlite") as database:
        (data,) = database.execute("SELECT data FROM runs").fetchone()
    assert '"reality"' in data


def test_the_next_plan_takes_its_time_from_the_run_before(trained) -> None:
    desk, path, _ = trained
    run = desk.dlm("show", path, "--json").json["runs"][0]
    plan = desk.dlm("plan", path, "--json").json
    assert plan["seconds_reason"] == "as measured in run 1"
    assert plan["seconds"] == pytest.approx(run["reality"]["seconds"]["real"])
    assert "(as measured in run 1)" in desk.dlm("plan", path).out
    fresh = desk.dlm("plan", path, "--json", env={"DLM_HOME": str(desk.folder / "elsewhere")}).json
    assert fresh["seconds_reason"].startswith("by a formula")


def test_one_slow_run_does_not_make_the_next_plan_slow(used) -> None:
    desk, path = used()
    shown = desk.dlm("show", path, "--json").json
    (run,) = shown["runs"]
    with sqlite3.connect(Path(shown["store"]) / "runs.sqlite") as database:
        database.row_factory = sqlite3.Row
        columns = dict(database.execute("SELECT * FROM runs").fetchone())
        for number, slower in ((2, 20), (3, 3)):
            speed = {**run["speed"], "factor": slower * run["speed"]["factor"]}
            data = json.dumps({**json.loads(columns["data"]), "speed": speed})
            row = {**columns, "id": number, "data": data}
            database.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    plan = desk.dlm("plan", path, "--json").json
    assert plan["seconds"] == pytest.approx(run["reality"]["seconds"]["real"] + 2 * run["reality"]["in_steps"])
    assert plan["seconds_reason"] == "as measured in the last 3 runs, their median"


def test_a_document_without_questions_is_not_said_to_have_answered_any(dlm_desk) -> None:
    done = dlm_desk.dlm("run", dlm_desk.write("The lighthouse of Varn stands on a rock."))
    assert done.code == 0, done.err
    assert "exam       no trained question to ask" in done.err
    assert "0 of 0" not in done.err + done.out


@pytest.mark.parametrize(
    ("before", "after", "said"), [(4.0, 5.0, "+25%"), (4.0, 3.0, "-25%"), (4.0, 3.999, "+0%"), (0, 1, "+0%")]
)
def test_a_change_too_small_to_show_has_no_minus_sign(before: float, after: float, said: str) -> None:
    assert change_text(before, after) == said


def test_peak_memory_that_a_trainer_measured_goes_before_that_of_the_process(dlm_desk) -> None:
    from dlm_core import hookimpl
    from dlm_core.api import Runner, TrainResult

    class Measured(Runner):
        name = "elsewhere"

        def run(self, trainer, job):
            result = trainer.train(job)
            return TrainResult(result.adapter, {**result.metrics, "peak_memory": 12345.0})

    class Unmeasured(Measured):
        name = "unmeasured"

        def run(self, trainer, job):
            return trainer.train(job)

    class Plugin:
        @hookimpl
        def dlm_runners(self):
            return [Measured(), Unmeasured()]

    desk = dlm_desk.use(Plugin())
    path = desk.write(PAIRS)
    assert desk.run(path, "--runner", "elsewhere").event("reality")["memory"]["real"] == 12345
    nobody = desk.run(path, "--force", "--runner", "unmeasured").event("reality")
    assert nobody["memory"]["real"] is None, "this process is not where it trained"
    here = desk.run(path, "--force").event("reality")
    assert here["memory"]["real"] > 1 << 20


def test_the_verdicts_are_those_of_the_exam(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    exam = dlm_desk.run(path).event("exam")["exam"]
    shown = dlm_desk.dlm("show", path, "--learned", "--json")
    assert shown.code == 0
    assert [(one["verdict"], one["before"], one["after"], one["tokens"]) for one in shown.json["sections"]] == [
        (one["verdict"], one["before"], one["after"], one["tokens"]) for one in exam["sections"]
    ]
    assert {one["status"] for one in shown.json["sections"]} == {"same"}
    assert shown.json["version"] == 1


def test_edited_new_and_removed_sections_are_told_apart(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    assert dlm_desk.run(path).code == 0
    text = path.read_text().replace("There are ninety.", "There are twelve.")
    path.write_text(text + "\n::prose::\nThe keeper has a cat.\n")
    found = dlm_desk.dlm("show", path, "--learned", "--json").json["sections"]
    assert [one["status"] for one in found] == ["same", "same", "changed", "new"]
    said = dlm_desk.dlm("show", path, "--learned").out
    assert "changed since version 1" in said
    assert "not trained yet" in said
    path.write_text(text[: text.index("::instruction::")])
    found = dlm_desk.dlm("show", path, "--learned", "--json").json["sections"]
    assert [one["status"] for one in found] == ["same", "removed", "removed"]


def test_missed_questions_stand_with_what_was_expected(dlm_desk) -> None:
    body = PAIRS + "\n### Q !exam\nIs the rock high?\n### A\nYes, very.\n"
    path = dlm_desk.write(body)
    assert dlm_desk.run(path).code == 0
    (missed,) = dlm_desk.dlm("show", path, "--learned", "--json").json["missed"]
    assert (missed["question"], missed["expected"]) == ("Is the rock high?", "Yes, very.")
    assert "expected Yes, very." in dlm_desk.dlm("show", path, "--learned").out


def test_an_earlier_version_can_be_looked_at(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    assert dlm_desk.run(path).code == 0
    path.write_text(path.read_text().replace("ninety", "twelve"))
    assert dlm_desk.run(path).code == 0
    old = dlm_desk.dlm("show", path, "--learned", "--version", 1, "--json").json
    assert (old["version"], old["sections"][2]["status"]) == (1, "changed")
    new = dlm_desk.dlm("show", path, "--learned", "--json").json
    assert (new["version"], new["sections"][2]["status"]) == (2, "same")


def test_before_the_first_run_nothing_is_learned_yet(dlm_desk) -> None:
    shown = dlm_desk.dlm("show", dlm_desk.write(PAIRS), "--learned")
    assert shown.code == 0
    assert shown.out.count("not trained yet") == 3


def test_passes_are_bounded_on_a_processor_unless_the_document_says_how_many_rows_they_have(dlm_desk) -> None:
    assert dlm_desk.run(PAIRS).code == 0, "the null base is made on its first use"
    story = "\n\n".join(f"In year {year} the keeper of the light wrote down what he saw. " * 20 for year in range(40))
    for precision, positions, less in (("fp32", 512, 3), ("bf16", 1024, 1.9)):
        usual = f"precision: {precision}, sequence_len: 256"
        free, said = (
            dlm_desk.dlm("plan", dlm_desk.write(story, f"training: {{{usual}{more}}}\n"), "--json").json
            for more in ("", ", micro_batch_size: 8, grad_accum: 1")
        )
        assert (free["batch"]["micro"], free["batch"]["positions"], said["batch"]["positions"]) == (8, positions, None)
        assert free["memory"]["activations"] * less < said["memory"]["activations"]
        (reason,) = [choice["reason"] for choice in free["choices"] if choice["name"] == "micro_batch_size"]
        assert f"passes of {positions} tokens" in reason


def test_the_plan_says_each_section_s_tokens_and_what_came_of_sources(dlm_desk) -> None:
    sources = dlm_desk.folder / "notes"
    sources.mkdir()
    (sources / "one.md").write_text("The boat leaves at nine.\n")
    (sources / "two.md").write_bytes(b"\xff\xfe\x00 not text \x00")
    assert dlm_desk.run(PAIRS).code == 0, "the null base is made on its first use"
    path = dlm_desk.write(PAIRS, "training:\n  sources:\n    - {path: notes, include: ['**']}\n")
    planned = dlm_desk.dlm("plan", path, "--json")
    assert planned.code == 0, planned.err + planned.out
    plan = planned.json
    assert plan["rows"] == {"train": 4, "validation": 0, "only_asked": 0}
    assert sum(section["tokens"] for section in plan["sections"]) == plan["phases"][0]["tokens"]
    assert plan["sources"]["taken"] == 1
    assert sum(plan["sources"]["skipped"].values()) == 1
    said = dlm_desk.dlm("plan", path).out
    assert "1 files taken, 1 skipped" in said
    assert "precision" in said


@pytest.mark.parametrize(
    ("lengths", "batch", "positions"),
    [
        ([10] * 8, Batch(8, 1), 80),
        ([10] * 8 + [100], Batch(8, 1), 100),
        ([10] * 8 + [100] * 2, Batch(4, 2), 200),
        ([10] * 1000 + [100], Batch(8, 1), 800),
        ([7], Batch(4, 1), 7),
        ([10] * 8, Batch(8, 1, 35), 30),
        ([10] * 7 + [90], Batch(8, 1, 35), 90),
        ([10] * 1000 + [100], Batch(8, 1, 350), 350),
        ([10] * 1000 + [400], Batch(8, 1, 350), 400),
    ],
)
def test_the_largest_micro_batch(lengths: list[int], batch: Batch, positions: int) -> None:
    assert largest_batch(lengths, batch) == positions
