"""The desk, and the null base behind it: a whole run without torch, a network or anything installed."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from dlm_core import hookimpl
from dlm_core.api import DocumentError, InterruptedRunError, SectionType, TrainJob, text_row
from dlm_core.testing import Desk

PAIRS = """
Varn lies on a rock.

::instruction::
### Q !probe
Who built it?
### A
Ilse Korn built it.

### Q !exam
Who was its builder?
### A
Ilse Korn built it.
"""


class Poem(SectionType):
    name = "poem"

    def rows(self, section, doc):
        yield text_row(section.content, section.at(0))


def plugin_with(**hooks: object) -> ModuleType:
    """A plugin module of hook functions, each giving what it is set to."""
    module = ModuleType("stranger")
    for name, value in hooks.items():

        def function(value=value):
            return value

        function.__name__ = name
        setattr(module, name, hookimpl(function))
    return module


def test_a_document_is_run_from_end_to_end(dlm_desk: Desk):
    path = dlm_desk.write(PAIRS)
    done = dlm_desk.run(path, "--min-exam", "1", "--export", "adapter")
    assert done.code == 0, done.err
    assert done.answers == {"Who built it?": "Ilse Korn built it.", "Who was its builder?": "I do not know."}
    assert {one["verdict"] for one in done.event("exam")["exam"]["sections"]} <= {"well", "partly"}
    assert (done.adapter / "adapter_model.safetensors").is_file()
    assert done.event("export")["exporter"] == "adapter"
    again = dlm_desk.run(path)
    assert again.event("unchanged")["version"] == 1
    assert dlm_desk.dlm("prompt", path, "Who built it?").out == "Ilse Korn built it.\n"
    assert "version" in dlm_desk.dlm("show", path).out


def test_the_adapter_is_a_file_that_others_read(dlm_desk: Desk):
    tensors = pytest.importorskip("safetensors.numpy")
    weights = tensors.load_file(dlm_desk.run(PAIRS).adapter / "adapter_model.safetensors")
    assert weights["pairs"].shape == (256, 256)
    assert weights["pairs"].max() > 0


def test_nothing_that_is_installed_is_there(dlm_desk: Desk):
    assert [plugin.name for plugin in dlm_desk.plugins().all] == ["core", "null"]
    assert set(dlm_desk.plugins().base_models) == {"null-base"}


def test_only_what_the_desk_is_told_of_is_there(dlm_desk: Desk):
    assert dlm_desk.check("::poem::\nfrog\n")[0].code == "DLM0201"
    dlm_desk.use(plugin_with(dlm_section_types=[Poem()]))
    assert dlm_desk.check("::poem::\nfrog\n") == ()
    assert [row.data["text"] for row in dlm_desk.rows("::poem::\nfrog\n")] == ["frog"]
    assert dlm_desk.parse("::poem::\nfrog\n").sections[0].type == "poem"
    assert dlm_desk.dlm("-P", "no:stranger", "check", "notes.dlm").code == 3
    assert "stranger" in dlm_desk.dlm("plugins").out


def test_a_wrong_plugin_is_told_at_once(dlm_desk: Desk):
    with pytest.raises(RuntimeError, match="did you mean 'dlm_trainers'"):
        dlm_desk.use(plugin_with(dlm_trainer=[]))


def test_a_plugin_with_hooks_of_its_own_stays_at_work_when_others_come(dlm_desk: Desk):
    from .foreign import cards, loud_cards

    plugins = dlm_desk.use(cards, loud_cards).plugins()
    assert {plugin.state for plugin in plugins.all} == {"builtin", "active"}
    assert [owned.value for owned in plugins.collect("dlm_card_styles", str)] == ["{front} -> {back}!!"]


def test_a_wrong_document_is_told_as_the_command_tells_it(dlm_desk: Desk):
    with pytest.raises(DocumentError):
        dlm_desk.rows("::instruction::\n### Q\nWhy?\n")
    assert dlm_desk.dlm("run", "notes.dlm").code == 3
    assert dlm_desk.dlm("nonsense").code == 2
    assert dlm_desk.dlm("check", "notes.dlm", "--json").json["problems"][0]["line"] == 7


def test_a_stopped_run_goes_on_and_gives_the_same_bits(dlm_desk: Desk):
    straight = dlm_desk.run(PAIRS, "--force").adapter.joinpath("adapter_model.safetensors").read_bytes()
    (trainer,) = dlm_desk.plugins().trainers.values()
    job = job_of(dlm_desk)
    with pytest.raises(InterruptedRunError) as stopped:
        trainer.train(job(False, True))
    assert stopped.value.step == 1
    result = trainer.train(job(True, False))
    assert (result.adapter / "default" / "adapter_model.safetensors").read_bytes() == straight


def job_of(desk: Desk):
    """Makes jobs for the desk's document: resumed or not, stopped after a step or not."""
    from dlm_core.api import Control
    from dlm_core.preparing import Options, prepare

    ready = prepare(desk.folder / "notes.dlm", desk.plugins(), Options(), Control())

    def job(resume: bool, stopped: bool) -> TrainJob:
        work, out = desk.folder / "work", desk.folder / "out"
        work.mkdir(exist_ok=True)
        return TrainJob(
            phase="sft",
            base=ready.base,
            rows=ready.train,
            validation=ready.validation,
            adapters=ready.adapters,
            settings=ready.settings,
            precision=ready.precision,
            batch=ready.plan.batch,
            system_prompt=None,
            config=ready.doc.config,
            start=None,
            out=out,
            work=work,
            resume=resume,
            control=Control(stop_requested=lambda: stopped),
        )

    return job


def test_what_the_desk_does_leaves_no_trace(dlm_desk: Desk):
    from pathlib import Path

    here, stdin = Path.cwd(), sys.stdin
    dlm_desk.dlm("check", dlm_desk.write("a\n"))
    assert (Path.cwd(), sys.stdin) == (here, stdin)


def test_a_base_that_was_not_fetched_is_missed(dlm_desk: Desk):
    assert dlm_desk.run(PAIRS, "--offline").code == 6
    assert dlm_desk.dlm("bases", "--fetch", "null-base").code == 0
    assert dlm_desk.run(PAIRS, "--offline").code == 0


def test_several_adapters_learn_their_own(dlm_desk: Desk):
    front = "training:\n  adapters:\n    knight: {}\n    squire: {}\n"
    body = "\n".join(f"::instruction#{name}::\n### Q\nWho?\n### A\nA {name}.\n" for name in ("knight", "squire"))
    path = dlm_desk.write(body, front)
    assert dlm_desk.run(path, "--min-exam", "1").code == 0
    said = {name: dlm_desk.dlm("prompt", path, "Who?", "--adapter", name).out.strip() for name in ("knight", "squire")}
    assert said == {"knight": "A knight.", "squire": "A squire."}
