"""Every version of the format reads as the newest."""

from __future__ import annotations

import pytest

from dlm_core.document.versions import STEPS, VERSION

ID = "01K9ABCDEFGHJKMNPQRSTVWXYZ"


def test_no_step_is_missing():
    assert list(STEPS) == list(range(1, VERSION + 1))
    assert [number for number, step in STEPS.items() if step.change] == [2]
    assert all(step.brought for step in STEPS.values())


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_version_reads(parse, version):
    document = parse(f"---\ndlm_id: {ID}\ndlm_version: {version}\nbase_model: tiny\ntraining: {{lora_r: 4}}\n---\n")
    assert document.config["dlm_version"] == 15
    assert document.config["training"]["lora_r"] == 4


DPO = f"""---
dlm_id: {ID}
base_model: tiny
training:
  dpo:
    enabled: true
    beta: 0.3
    learning_rate: 1e-6
    num_epochs: 2
    loss_type: ipo
    reference: pre_dpo_adapter
---
"""


def test_dpo_becomes_preference(parse):
    document = parse(DPO)
    assert document.config["training"]["preference"] == {
        "enabled": True,
        "loss_type": "ipo",
        "reference": "pre_adapter",
        "hyperparams": {"beta": 0.3, "learning_rate": 1e-6, "num_epochs": 2},
    }
    assert document.where("training.preference").line == 5
    assert document.where("training.preference.enabled").line == 6
    assert document.where("training.preference.hyperparams.num_epochs").line == 9
    assert not document.wrote("training.dpo")


def test_dpo_is_only_known_in_version_one(problems):
    (problem,) = problems(DPO.replace("base_model", "dlm_version: 2\nbase_model"))
    assert (problem.span.line, problem.code) == (6, "DLM0101")


@pytest.mark.parametrize("written", ["7", "[1]", "''", "null"])
def test_dpo_that_is_no_block(problems, written):
    (problem,) = problems(f"---\ndlm_id: {ID}\nbase_model: tiny\ntraining:\n  dpo: {written}\n---\n")
    assert "(written as `training.dpo`)" in problem.message
    assert (problem.span.line, problem.code) == (5, "DLM0104")
