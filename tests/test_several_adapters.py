"""Several adapters in one process: settings of their own, `--adapter` and `--adapter-mix` on every command."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dlm_core.store import open_store
from dlm_core.testing import Desk
from dlm_core.testing.desk import document_id

pytestmark = pytest.mark.skipif(find_spec("dlm_hf") is None, reason="needs the engine")

QUESTION = "What colour is the door?"
BODY = """
    ::instruction#red::
    ### Q
    What colour is the door?
    ### A
    The door is red.

    ::instruction#blue::
    ### Q
    What colour is the door?
    ### A
    The door is blue.
"""
PLAIN = {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "learning_rate": 2e-3, "adapter": "lora"}


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    from dlm_gguf import plugin as gguf
    from dlm_hf import plugin as hf
    from dlm_tiny import plugin as tiny

    dlm_desk.null = False
    return dlm_desk.use(hf, tiny, gguf)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dlm_hf.testing import make_small_base

    return make_small_base(tmp_path_factory.mktemp("several") / "base")


def front(base: object, epochs: int, **adapters: dict[str, Any]) -> str:
    lines = [f"base_model: {base}", "training:", f"  num_epochs: {epochs}", "  sequence_len: 128", "  adapters:"]
    for name, settings in adapters.items():
        lines.append(f"    {name}: {{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}")
    return "\n".join(lines)


def files(name: str) -> dict[str, bytes]:
    """Each adapter's weights in the current version of a document."""
    version = open_store(document_id(name)).current()
    assert version is not None
    return {path.parent.name: path.read_bytes() for path in version.adapter.glob("*/adapter_model.safetensors")}


@pytest.mark.parametrize("changed", ["red", "blue"])
def test_a_setting_changes_its_adapter_and_no_other(desk: Desk, small: Path, changed: str) -> None:
    changes = {
        "adapter": "dora",
        "lora_r": 2,
        "lora_alpha": 16,
        "lora_dropout": 0.3,
        "target_modules": "[q_proj, v_proj]",
        "learning_rate": 1e-3,
    }
    settings = {"red": PLAIN, "blue": PLAIN}
    assert desk.run(desk.write(BODY, front(small, 2, **settings), "plain.dlm"), "--no-export").code == 0
    plain = files("plain.dlm")
    for key, value in changes.items():
        other = {**settings, changed: {**PLAIN, key: value}}
        done = desk.run(desk.write(BODY, front(small, 2, **other), f"{key}.dlm"), "--no-export")
        assert done.code == 0, done.err
        found = files(f"{key}.dlm")
        assert [name for name in found if found[name] != plain[name]] == [changed], key


def test_the_base_is_loaded_once_for_all(desk: Desk, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlm_hf import loading

    loading.forget_models()
    read, loaded = loading._read, []
    monkeypatch.setattr(loading, "_read", lambda *job: loaded.append(1) or read(*job))
    assert desk.run(desk.write(BODY, front(small, 1, red=PLAIN, blue=PLAIN)), "--no-export").code == 0
    assert loaded == [1]


def test_one_adapter_or_a_mix_answers_is_examined_and_exported(desk: Desk) -> None:
    learned = {"lora_dropout": 0, "learning_rate": 5e-3}
    red, blue = {**learned, "lora_r": 16, "lora_alpha": 32}, {**learned, "lora_r": 8}
    path = desk.write(BODY, front("tiny", 14, red=red, blue=blue))
    assert desk.run(path, "--no-export").code == 0
    only = desk.dlm("exam", path, "--adapter", "blue", "--json").json
    assert [answer["answer"] for answer in only["answers"]] == ["The door is blue."]
    assert {section["adapter"] for section in only["sections"]} == {"blue"}
    for weights, colour in (("red:1,blue:0", "red"), ("red:0.1, blue:1", "blue"), ("red:-0.2,blue:1.0", "blue")):
        asked = desk.dlm("prompt", path, QUESTION, "--adapter-mix", weights, "--json").json
        assert asked["answer"] == f"The door is {colour}."
        assert asked["adapter"] == "mix"
        assert asked["mix"]["error"] < 1e-7
    said = desk.dlm("prompt", path, QUESTION, "--adapter-mix", "red:1,blue:0.25")
    assert "mix        1·red + 0.25·blue: rank 24, off the true sum by" in said.err
    talk = desk.dlm("chat", path, "--adapter-mix", "red:0.1,blue:1", stdin=f"{QUESTION}\n/bye\n")
    assert talk.out == "The door is blue.\n"
    exam = desk.dlm("exam", path, "--adapter-mix", "red:0.1,blue:1", "--json").json
    assert {answer["answer"] for answer in exam["answers"]} == {"The door is blue."}
    assert exam["mix"]["rank"] == 24
    there = ("--to", desk.folder / "mix")
    done = desk.dlm("export", path, "gguf", "gguf-lora", "merged", "--adapter-mix", "red:0.1,blue:1", *there)
    assert done.code == 0, done.err
    assert "2/2 answers the same" in done.out
    refusals(desk, path)


def refusals(desk: Desk, path: Path) -> None:
    """What cannot be read of a mix, each with what was probably meant."""
    wrong = [
        (["--adapter-mix", "rad:1"], "no adapter 'rad'", "did you mean red?"),
        (["--adapter-mix", "red"], "cannot read 'red'", "NAME:WEIGHT"),
        (["--adapter-mix", "red:much"], "'much', which is no number", "tone:1"),
        (["--adapter-mix", "red:inf"], "no number", "tone:1"),
        (["--adapter-mix", "red:1,red:2"], "names red twice", "one weight"),
        (["--adapter-mix", "red:1", "--adapter", "blue"], "cannot both be given", "NAME:1"),
    ]
    for options, message, hint in wrong:
        refused = desk.dlm("prompt", path, QUESTION, *options)
        assert refused.code == 2
        assert message in refused.err
        assert hint in refused.err
    for words in (["chat", path], ["exam", path], ["export", path, "gguf"]):
        assert "did you mean red?" in desk.dlm(*words, "--adapter-mix", "rad:1").err
        assert "no adapter 'green'" in desk.dlm(*words, "--adapter", "green").err


def test_a_dora_is_not_mixed_and_the_reason_is_said(desk: Desk, small: Path) -> None:
    path = desk.write(BODY, front(small, 1, red={**PLAIN, "adapter": "dora"}, blue=PLAIN))
    assert desk.run(path, "--no-export").code == 0
    refused = desk.dlm("prompt", path, QUESTION, "--adapter-mix", "red:1,blue:1")
    assert refused.code == 1
    assert "the adapter red cannot be mixed: it is a DoRA" in refused.err
    assert desk.dlm("prompt", path, QUESTION, "--adapter-mix", "blue:1,red:0").code == 0


def test_a_section_of_two_adapters_is_as_good_as_the_one_that_learned_it_least(dlm_desk: Desk) -> None:
    front = "training:\n  adapters: {quick: {}, slow: {learning_rate: 1.0e-9}}\n"
    path = dlm_desk.write("The harbour at Varn freezes over in a cold January.\n", front)
    told = dlm_desk.dlm("run", path).out
    results = {one["adapter"]: one for one in dlm_desk.dlm("show", path, "--learned", "--json").json["sections"]}
    assert set(results) == {"quick", "slow"}
    least = max(results.values(), key=lambda one: one["after"])
    shown = dlm_desk.dlm("show", path, "--json").json["sections"][0]["learned"]
    assert (shown["adapter"], shown["verdict"]) == (least["adapter"], least["verdict"])
    assert f"{least['after']:.2f}" in dlm_desk.dlm("show", path).out
    assert least["adapter"] in told
