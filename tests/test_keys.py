"""Every frontmatter key does something: changing it changes the plan, the adapter or what is exported."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.conftest import LIGHTHOUSE, Desk

#: Two steps on few rows: enough to see that the adapter's bits or files change.
SHORT = {"num_epochs": "1", "learning_rate": "5e-3", "micro_batch_size": "2", "grad_accum": "1"}


def train(desk: Desk, settings: dict[str, str], front: str = "", body: str = LIGHTHOUSE) -> tuple[str, dict]:
    """Train one epoch; return the adapter's hash and its PEFT configuration."""
    path = desk.write(body, "".join(f"  {name}: {value}\n" for name, value in settings.items()), front)
    result = desk.dlm("train", path)
    assert result.code == 0, result.err
    shown = desk.dlm("show", path, "--json").json
    adapter = next(Path(v["adapter"]) for v in shown["versions"] if v["current"])
    return adapter.name, json.loads((adapter / "default" / "adapter_config.json").read_text())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    base = tmp_path_factory.mktemp("plain")
    return train(Desk(base, base / "home"), SHORT)


@pytest.mark.parametrize(
    ("key", "value", "where", "found"),
    [
        ("lora_r", "4", "r", 4),
        ("lora_alpha", "7", "lora_alpha", 7),
        ("lora_dropout", "0.2", "lora_dropout", 0.2),
        ("adapter", "dora", "use_dora", True),
    ],
)
def test_a_key_reaches_the_adapter(desk, key, value, where, found):
    assert train(desk, {**SHORT, key: value})[1][where] == found


def test_target_modules_are_the_ones_named(desk, plain):
    _, config = train(desk, {**SHORT, "target_modules": "[q_proj, v_proj]"})
    assert sorted(config["target_modules"]) == ["q_proj", "v_proj"]
    assert len(plain[1]["target_modules"]) == 7


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", "1e-3"),
        ("num_epochs", "2"),
        ("grad_accum", "2"),
        ("micro_batch_size", "1"),
        ("lr_scheduler", "constant"),
        ("warmup_ratio", "0.5"),
        ("precision", "bf16"),
        ("seed", "1"),
    ],
)
def test_a_key_changes_the_bits(desk, plain, key, value):
    settings = {**SHORT, key: value}
    if key in ("lr_scheduler", "warmup_ratio"):
        settings["num_epochs"] = "3"
        other, _ = train(Desk(desk.folder, desk.home / "other"), {**SHORT, "num_epochs": "3"})
        assert train(desk, settings)[0] != other
    else:
        assert train(desk, settings)[0] != plain[0]


def test_the_system_prompt_is_trained_with(desk, plain):
    assert train(desk, SHORT, "system_prompt: You keep a lighthouse.\n")[0] != plain[0]


def test_the_sequence_length_splits_prose_and_refuses_long_answers(desk):
    body = "A long story about nothing. " * 40 + "\n\n" + LIGHTHOUSE
    path = desk.write(body, "  sequence_len: 64\n")
    (problem,) = desk.dlm("plan", path, "--json").json["problems"]
    assert "split into" in problem["message"]
    path = desk.write(
        "::instruction::\n### Q\nWhy?\n### A\n" + "Because it is so. " * 40 + "\n", "  sequence_len: 64\n"
    )
    refused = desk.dlm("train", path)
    assert refused.code == 3
    assert "notes.dlm:9:1" in refused.err
    assert "--long-rows" in refused.err
    assert desk.dlm("train", path, "--long-rows", "cut").code == 0


EIGHT = {**SHORT, "lora_r": "16", "target_modules": "[q_proj, v_proj]"}


def test_each_optimizer_trains_other_bits_and_says_what_it_is(desk):
    found, said = {}, {}
    for name in ("adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit", "galore_adamw", "galore_adamw_8bit"):
        mine = Desk(desk.folder, desk.home / name)
        found[name] = train(mine, {**EIGHT, "optimizer": name})[0]
        plan = mine.dlm("plan", desk.folder / "notes.dlm", "--json").json
        said[name] = {choice["name"]: choice for choice in plan["choices"]}.get("optimizer")
    assert found.pop("paged_adamw_8bit") == found["adamw_bnb_8bit"]
    assert len(set(found.values())) == 4
    assert said["adamw_torch"] is None
    assert said["paged_adamw_8bit"]["value"] == "adamw_bnb_8bit", "a processor has no GPU memory to page out of"
    assert "no GPU memory" in said["paged_adamw_8bit"]["reason"]
    assert "rank 8 of 16" in said["galore_adamw"]["reason"]


def rates(desk: Desk, **settings: str) -> list[float]:
    path = desk.write(training="".join(f"  {key}: {value}\n" for key, value in {**SHORT, **settings}.items()))
    done = desk.dlm("train", path, "--json")
    assert done.code == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    return [event["learning_rate"] for event in events if event["event"] == "step"]


def test_the_learning_rate_follows_its_schedule(desk):
    few = {"num_epochs": "5", "warmup_ratio": "0"}
    constant = rates(desk, lr_scheduler="constant", **few)
    linear = rates(desk, lr_scheduler="linear", **few)
    cosine = rates(desk, lr_scheduler="cosine", **few)
    warmed = rates(desk, lr_scheduler="constant", num_epochs="5", warmup_ratio="0.5")
    steps = len(constant)
    assert constant == [5e-3] * steps
    assert linear == pytest.approx([5e-3 * (1 - step / steps) for step in range(steps)])
    assert cosine == pytest.approx([2.5e-3 * (1 + math.cos(math.pi * step / steps)) for step in range(steps)])
    rise = round(steps / 2)
    assert warmed == pytest.approx([5e-3 * min(1, (step + 1) / (rise + 1)) for step in range(steps)])


def test_default_temperature_and_top_p_are_used_by_prompt(used):
    desk, path = used()
    greedy = desk.dlm("prompt", path, "Tell me something about ships.").out
    hot = desk.dlm("prompt", path, "Tell me something about ships.", "--temperature", 2, "--seed", 5).out
    assert hot != greedy
    text = path.read_text().replace("base_model: tiny\n", "base_model: tiny\nexport: {default_temperature: 2}\n")
    path.write_text(text)
    assert desk.dlm("run", path, "--force", "--no-export").code == 0
    assert desk.dlm("prompt", path, "Tell me something about ships.", "--seed", 5).out == hot


def test_sources_are_read_and_strict_ones_stay_inside(desk):
    (desk.folder / "texts" / "node_modules").mkdir(parents=True)
    (desk.folder / "texts" / "a.md").write_text("The harbour of Varn has two cranes.\n")
    (desk.folder / "texts" / "b.log").write_text("noise\n")
    (desk.folder / "texts" / "node_modules" / "c.md").write_text("not ours\n")
    (desk.folder / "texts" / "blob.md").write_bytes(b"\0\1\2")
    sources = "  sources:\n    - path: texts\n      include: ['**/*.md']\n"
    path = desk.write("Some prose.\n", sources)
    checked = desk.dlm("check", path, "--json").json
    assert checked["rows"] == 2
    assert "skipped blob.md" in checked["problems"][0]["message"]
    outside = desk.folder.parent / "outside.md"
    outside.write_text("secret")
    (desk.folder / "texts" / "link.md").symlink_to(outside)
    untrusted = desk.dlm("check", path, "--json").json
    assert untrusted["rows"] == 2
    assert any("link.md" in problem["message"] for problem in untrusted["problems"])
    assert desk.dlm("trust", path).code == 0
    assert desk.dlm("check", path, "--json").json["rows"] == 3
    path = desk.write("Some prose.\n", sources + "  sources_policy: strict\n")
    refused = desk.dlm("check", path)
    assert refused.code == 3
    assert "leads out" in refused.err
