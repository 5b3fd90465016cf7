"""Every frontmatter key does something: changing it changes the adapter, the plan or what is asked and exported."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlm_core.cli.schema import frontmatter_schema
from dlm_core.plugins import Plugins
from dlm_core.plugins.finder import find_plugins
from dlm_core.testing import Desk
from dlm_core.testing.desk import document_id

from .key_cases import BODY, CASES, QUESTION, ROUTED, SHORT, WIDE, Case

pytestmark = pytest.mark.skipif(find_spec("dlm_hf") is None, reason="needs the engine")


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    from dlm_audio.testing import make_hearing_base
    from dlm_hf.testing import make_small_base

    place = tmp_path_factory.mktemp("keys")
    small = {name: make_small_base(place / name, seed=seed) for seed, name in enumerate(("BASE", "OTHER"))}
    wide = make_small_base(place / "WIDE", hidden=256, intermediate=256, layers=1)
    hearing = make_hearing_base(place / "HEARING")
    return {name: str(folder) for name, folder in {**small, "WIDE": wide, "HEARING": hearing}.items()}


@pytest.fixture
def desk(dlm_desk: Desk) -> Desk:
    """A desk with every plugin that is installed, some files to read, and a recording."""
    import soundfile

    from dlm_audio.testing import play

    dlm_desk.null = False
    for found in find_plugins():
        dlm_desk.use(found.load())
    texts = dlm_desk.folder / "texts"
    (texts / "inner").mkdir(parents=True)
    (dlm_desk.folder.parent / "outside").mkdir()
    for name in ("texts/a.md", "texts/b.txt", "texts/inner/c.md", "../outside/d.md"):
        (dlm_desk.folder / name).write_text(f"The harbour has two cranes, says {name}.\n")
    soundfile.write(dlm_desk.folder / "bell.wav", play("high", rate=44_100), 44_100)
    (texts / "tiny.md").write_text("Two cranes.\n")
    return dlm_desk


def write(desk: Desk, name: str, bases: Mapping[str, str], keys: Mapping[str, Any], body: str = BODY) -> Path:
    """A document with the settings SHORT and some keys, each a dotted path."""
    whole: dict[str, Any] = {"dlm_id": document_id(name), "dlm_version": 15}
    usual = {key: value for key, value in SHORT.items() if key != ROUTED or not keys.get("training.adapters")}
    for key, value in {**usual, **keys}.items():
        *above, last = key.replace("[]", ".0").split(".")
        block: Any = whole
        for part in above:
            block = block[int(part)] if isinstance(block, list) else block.setdefault(part, {})
        block[last] = bases.get(value, value) if isinstance(value, str) else deepcopy(value)
    path = desk.folder / f"{name}.dlm"
    front = yaml.safe_dump(json.loads(json.dumps({key: value for key, value in whole.items() if value is not None})))
    path.write_text(f"---\n{front}---\n{body}", encoding="utf-8")
    return path


# -- every key ------------------------------------------------------------------------------------------------------


def keys_of(block: Mapping[str, Any], whole: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The keys of a schema that hold a value, as dotted paths: `[]` is in a list, `*` any name."""
    for name, found in block["properties"].items():
        inner = [resolved(one, whole) for one in found.get("anyOf", [found])]
        nested = [one for one in inner if "properties" in one]
        if not nested:
            yield f"{above}{name}"
        for one in nested:
            yield from keys_of(one, whole, f"{above}{name}.")
        for one in inner:
            below = [
                ("[]", one.get("items", {})),
                *((".*", part) for part in one.get("patternProperties", {}).values()),
            ]
            for mark, part in below:
                if "properties" in resolved(part, whole):
                    yield from keys_of(resolved(part, whole), whole, f"{above}{name}{mark}.")


def resolved(found: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    name = found.get("$ref", "").rpartition("/")[2]
    return whole["$defs"][name] if name else found


def test_no_key_is_without_a_case() -> None:
    whole = frontmatter_schema(Plugins.load())
    known = set(keys_of(whole, whole))
    tried = {re.sub(r"adapters\.red\.", "adapters.*.", case.key) for case in CASES}
    assert {"training.adapters.*.lora_r", "training.sources[].path", "training.cache.enabled"} <= known
    assert known - tried == set(), "keys that no case shows to do anything: write one in tests/key_cases.py"
    assert tried - known == set(), "cases of keys that there are not"


def test_a_choice_of_words_is_tried_whole() -> None:
    """Of a key with a handful of words each is tried; what cannot be had here is named with the reason."""
    elsewhere = {
        ("training.optimizer", "paged_adamw_8bit"): "without a GPU it is adamw_bnb_8bit: a test below",
        ("training.precision", "fp16"): "refused on a processor: tests/test_precision.py",
        ("training.adapters.*.adapter", "qlora"): "not beside lora: HF0002",
        ("export.default_quant", "Q4_K_M"): "plugins/dlm-gguf/tests",
        ("export.default_quant", "Q5_K_M"): "plugins/dlm-gguf/tests",
    }
    whole = frontmatter_schema(Plugins.load())
    tried: dict[str, list[Any]] = {}
    for case in CASES:
        tried.setdefault(case.key.replace("adapters.red.", "adapters.*."), []).extend(case.values)
    for key in keys_of(whole, whole):
        for word in words_of(whole, key):
            assert word in tried[key] or (key, word) in elsewhere, (key, word)


def words_of(whole: Mapping[str, Any], key: str) -> list[str]:
    found: Mapping[str, Any] = whole
    for part in key.replace("[]", ".[]").split("."):
        inner = [resolved(one, whole) for one in found.get("anyOf", [found])]
        found = next(next_of(one, part) for one in inner if next_of(one, part))
    return [word for one in found.get("anyOf", [found]) for word in resolved(one, whole).get("enum", [])]


def next_of(block: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    if part == "[]":
        return block.get("items", {})  # type: ignore[no-any-return]
    if part == "*":
        return next(iter(block.get("patternProperties", {}).values()), {})
    return block.get("properties", {}).get(part, {})  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.key}-{case.values[-1]}")
def test_changing_it_changes_something(desk: Desk, bases: Mapping[str, str], case: Case) -> None:
    looks = []
    for number, value in enumerate(case.values):
        path = write(desk, f"doc{number}", bases, {**case.also, case.key: value}, case.body)
        looks.append(case.look(desk, path))
    assert all(one != other for at, one in enumerate(looks) for other in looks[:at]), looks


def test_the_same_settings_change_nothing(desk: Desk, bases: Mapping[str, str]) -> None:
    """Or the test above would show nothing."""
    looks = {case.look: case for case in CASES if case.key != "dlm_id" and case.look.__name__ != "kept"}
    for look, case in looks.items():
        keys = {**case.also, case.key: case.values[0]}
        first, second = (look(desk, write(desk, f"{look.__name__}{n}", bases, keys, case.body)) for n in (0, 1))
        assert first == second, case.key


# -- what some keys do exactly --------------------------------------------------------------------------------------


def config(desk: Desk, path: Path) -> Any:
    done = desk.dlm("train", path, "--json")
    assert done.code == 0, done.err
    return json.loads((done.adapter / "adapter_config.json").read_text())


def test_settings_are_in_the_adapters_own(desk: Desk, bases: Mapping[str, str]) -> None:
    keys = {"lora_r": 4, "lora_alpha": 7, "lora_dropout": 0.2, "adapter": "dora"}
    found = config(desk, write(desk, "a", bases, {f"training.{key}": value for key, value in keys.items()}))
    assert (found["r"], found["lora_alpha"], found["lora_dropout"], found["use_dora"]) == (4, 7, 0.2, True)
    assert len(found["target_modules"]) == 7
    two = config(desk, write(desk, "b", bases, {"training.target_modules": ["q_proj", "v_proj"]}))
    assert sorted(two["target_modules"]) == ["q_proj", "v_proj"]


def test_the_sequence_length_splits_prose_and_refuses_long_answers(desk: Desk, bases: Mapping[str, str]) -> None:
    short = {"training.sequence_len": 64}
    path = write(desk, "prose", bases, short, "A long story about nothing. " * 40 + BODY)
    (problem,) = desk.dlm("plan", path, "--json").json["problems"]
    assert "split into" in problem["message"]
    path = write(desk, "chat", bases, short, "::instruction::\n### Q\nWhy?\n### A\n" + "Because it is so. " * 40 + "\n")
    refused = desk.dlm("train", path)
    assert refused.code == 3
    assert re.search(r"chat\.dlm:\d+:1", refused.err)
    assert "--long-rows" in refused.err
    assert desk.dlm("train", path, "--long-rows", "cut").code == 0


def test_an_optimizer_says_what_it_is(desk: Desk, bases: Mapping[str, str]) -> None:
    said, adapters = {}, {}
    for name in ("adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit", "galore_adamw"):
        path = write(desk, name, bases, {**WIDE, "training.optimizer": name})
        plan = desk.dlm("plan", path, "--json").json
        said[name] = {choice["name"]: choice for choice in plan["choices"]}.get("optimizer")
        if "adamw_8bit" in name or "bnb" in name:
            done = desk.dlm("train", path, "--json")
            adapters[name] = (done.adapter / "adapter_model.safetensors").read_bytes()
    assert adapters["paged_adamw_8bit"] == adapters["adamw_bnb_8bit"]
    assert said["adamw_torch"] is None
    assert said["paged_adamw_8bit"]["value"] == "adamw_bnb_8bit", "a processor has no GPU memory to page out of"
    assert "no GPU memory" in said["paged_adamw_8bit"]["reason"]
    assert "rank 32 of 64" in said["galore_adamw"]["reason"]


def rates(desk: Desk, path: Path) -> list[float]:
    done = desk.dlm("train", path, "--json")
    assert done.code == 0, done.err
    return [event["learning_rate"] for event in done.events if event["event"] == "step"]


def test_the_learning_rate_follows_its_schedule(desk: Desk, bases: Mapping[str, str]) -> None:
    found = {}
    for name, warmup in (("constant", 0.0), ("linear", 0.0), ("cosine", 0.0), ("warmed", 0.5)):
        scheduler = "constant" if name == "warmed" else name
        few = {"training.num_epochs": 5, "training.warmup_ratio": warmup, "training.lr_scheduler": scheduler}
        found[name] = rates(desk, write(desk, name, bases, few))
    steps = len(found["constant"])
    assert found["constant"] == [5e-3] * steps
    assert found["linear"] == pytest.approx([5e-3 * (1 - step / steps) for step in range(steps)])
    assert found["cosine"] == pytest.approx([2.5e-3 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)])
    rise = round(steps / 2)
    assert found["warmed"] == pytest.approx([5e-3 * min(1, (step + 1) / (rise + 1)) for step in range(steps)])


def test_the_default_temperature_is_the_one_of_the_option(desk: Desk, bases: Mapping[str, str]) -> None:
    plain = write(desk, "plain", bases, {})
    hot = write(desk, "hot", bases, {"export.default_temperature": 2.0})
    assert desk.dlm("train", plain).code == desk.dlm("train", hot).code == 0
    options = ("--seed", 5, "--max-tokens", 12)
    wanted = desk.dlm("prompt", plain, QUESTION, *options, "--temperature", 2).out
    assert desk.dlm("prompt", hot, QUESTION, *options).out == wanted
    assert desk.dlm("prompt", plain, QUESTION, *options).out != wanted


def test_sources_are_read_and_strict_ones_stay_inside(desk: Desk, bases: Mapping[str, str]) -> None:
    texts = desk.folder / "mine"
    (texts / "node_modules").mkdir(parents=True)
    (texts / "a.md").write_text("The harbour of Varn has two cranes.\n")
    (texts / "b.log").write_text("noise\n")
    (texts / "node_modules" / "c.md").write_text("not ours\n")
    (texts / "blob.md").write_bytes(b"\0\1\2")
    sources = {"training.sources": [{"path": "mine", "include": ["**/*.md"]}]}
    path = write(desk, "notes", bases, sources, "Some prose.\n")
    checked = desk.dlm("check", path, "--json").json
    assert checked["rows"] == 2
    assert "skipped blob.md" in checked["problems"][0]["message"]
    (texts / "link.md").symlink_to(desk.folder.parent / "outside" / "d.md")
    untrusted = desk.dlm("check", path, "--json").json
    assert untrusted["rows"] == 2
    assert any("link.md" in problem["message"] for problem in untrusted["problems"])
    assert desk.dlm("trust", path).code == 0
    assert desk.dlm("check", path, "--json").json["rows"] == 3
    path = write(desk, "notes", bases, {**sources, "training.sources_policy": "strict"}, "Some prose.\n")
    refused = desk.dlm("check", path)
    assert refused.code == 3
    assert "leads out" in refused.err
