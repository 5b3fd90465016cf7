"""The recipe on a toy corpus: shards, windows, the network against transformers, training that resumes bit for bit."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from recipe import checkpoint, export_model, invent, network, optimizer, prepare, pretrain, shards  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2]
MODEL = prepare.MODEL


def _run(script: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-m", f"recipe.{script}", *map(str, arguments)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of a toy corpus of every part."""
    corpus, out = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("shards")
    talk = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": " Nobody. "}]}
    records: dict[str, list[dict[str, Any]]] = {
        "prose": [
            {"text": f"Tale {i}. " + "The bird sat. " * 20, "src": ("classic-books", "x")[i % 2]} for i in range(400)
        ],
        "chat": [{**talk, "n": i} for i in range(200)],
        "synth": [{**talk, "text": f"Sheet {i} says nobody."} for i in range(300)],
    }
    for name, rows in records.items():
        with gzip.open(corpus / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    _run("prepare", out, "--corpus", corpus, "--invented", 300, "--known", 5)
    return out


def test_records_become_the_bytes_of_the_chat_template() -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    messages = [{"role": "user", "content": " Who? "}, {"role": "assistant", "content": "Nobody.\n"}]
    assert prepare.record_text({"messages": messages}) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_validation_split_depends_on_the_text_alone() -> None:
    texts = [f"document {i}" for i in range(20000)]
    chosen = {text for text in texts if prepare.is_validation(text)}
    assert 0.005 < len(chosen) / len(texts) < 0.015
    assert chosen == {text for text in reversed(texts) if prepare.is_validation(text)}


def test_windows_come_from_the_named_parts_and_begin_at_documents(toy: Path) -> None:
    parts = shards.read_parts(toy, "train")
    assert set(parts) == {"books", "other", "chat", "synth", "invented"}
    windows = shards.draw(parts, {"chat": 1.0}, np.random.default_rng(1), rows=6, length=16, at_start=1.0)
    assert windows.shape == (6, 17)
    assert (windows[:, 0] == 1).all()  # <|im_start|>
    again = shards.draw(parts, {"chat": 1.0}, np.random.default_rng(1), rows=6, length=16, at_start=1.0)
    assert (windows == again).all()


def test_shards_of_several_seeds_are_one_part(tmp_path: Path) -> None:
    shards.write_part(tmp_path, "train", "invented-1", [[5, 6, 0], [7, 0]])
    shards.write_part(tmp_path, "train", "invented-2", [[8, 9, 0], [3, 0]])
    part = shards.read_parts(tmp_path, "train")["invented"]
    assert part.tokens.tolist() == [5, 6, 0, 7, 0, 8, 9, 0, 3, 0]
    assert part.starts.tolist() == [0, 3, 5, 8]


def test_generator_repeats_itself_and_answers_a_fact_always_alike() -> None:
    made = list(invent.documents(400, known=2, seed=3))
    assert made == list(invent.documents(400, known=2, seed=3))
    assert not any("{" in text for text in made)
    answers: dict[str, set[str]] = {}
    for text in made:
        turns = text.split("<|im_start|>")
        for question, answer in pairwise(turns):
            if question.startswith("user") and "How do I" in question:
                answers.setdefault(question, set()).add(answer)
    assert answers
    assert all(len(found) == 1 for found in answers.values())


def test_network_agrees_with_transformers() -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    weights = {name: weight for name, weight in reference.state_dict().items() if name != "lm_head.weight"}
    tokens = torch.randint(0, 4096, (2, 40), generator=torch.Generator().manual_seed(1))
    shape = network.Shape()
    with torch.no_grad():
        ours = network.logits(weights, tokens, network.rope(shape, 40), shape, torch.float32)
        theirs = reference(tokens).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_newton_schulz_brings_singular_values_near_one() -> None:
    stack = torch.randn(3, 24, 64, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(optimizer.orthogonalize(stack))
    assert values.min() > 0.5
    assert values.max() < 1.5


@pytest.mark.parametrize(("progress", "step", "factor"), [(0.1, 0, 1 / 40), (0.2, 100, 1.0), (1.0, 100, 0.02)])
def test_rate_warms_up_holds_and_falls(progress: float, step: int, factor: float) -> None:
    assert pretrain.rate_scale(progress, step, peak=0.5) == pytest.approx(0.5 * factor)


def test_training_lowers_the_loss_and_resumes_bit_for_bit(toy: Path, tmp_path: Path) -> None:
    small = ("--rows", 2, "--length", 32, "--log-every", 1, "--init", MODEL, "--mixture", "continue")
    lines = _run("pretrain", toy, tmp_path / "whole", "--tokens", 8 * 64, "--stop-after", 8, *small)
    _run("pretrain", toy, tmp_path / "parts", "--tokens", 8 * 64, "--stop-after", 3, *small)
    _run("pretrain", toy, tmp_path / "parts", "--tokens", 8 * 64, *small)
    reports = [json.loads(line) for line in lines]
    assert reports[-1]["invented"] < reports[0]["invented"]
    for name in ("weights.safetensors", "state.safetensors"):
        whole, parts = (tmp_path / run / "step-0000008" / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes()


def test_two_processes_take_the_step_of_their_joint_batch(toy: Path, tmp_path: Path) -> None:
    arguments = ("--tokens", 64, "--rows", 4, "--length", 16, "--processes", 2, "--seed", 5)
    lines = _run("pretrain", toy, tmp_path / "two", *arguments)
    assert json.loads(lines[-1])["step"] == 1
    shape, parts = network.Shape(), shards.read_parts(toy, "train")
    before = network.initial_weights(shape, 5)
    weights = {name: weight.clone().requires_grad_() for name, weight in before.items()}
    draws = [np.random.default_rng([5, 0, rank]) for rank in (0, 1)]
    windows = [shards.draw(parts, pretrain.MIXTURES["start"][0], rng, 2, 16, 0.6) for rng in draws]
    joint = torch.from_numpy(np.concatenate(windows))
    value = network.loss(weights, joint, network.rope(shape, 16), shape, torch.float32)
    gradients = dict(zip(weights, torch.autograd.grad(value, list(weights.values())), strict=True))
    optimizer.step(weights, gradients, optimizer.new_state(before, shape), shape, 0, 1 / 40)
    groups, _ = checkpoint.load(tmp_path / "two" / "step-0000001", "weights")
    for name in network.matrix_shapes(shape):
        update, apart = weights[name] - before[name], weights[name] - groups["weights"][name]
        assert apart.norm() <= 0.1 * update.norm()  # bf16 rounding; the wrong batch is off by half


def test_checkpoint_appears_whole_and_old_ones_go(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path / f"step-{step}", {"weights": {"a": torch.full((2,), float(step))}}, {"step": step})
    (tmp_path / "step-9.part").mkdir()
    checkpoint.prune(tmp_path, keep=2)
    newest = checkpoint.latest(tmp_path)
    assert newest is not None
    groups, facts = checkpoint.load(newest, "weights")
    assert (facts["step"], groups["weights"]["a"].tolist()) == (3, [3.0, 3.0])
    assert not (tmp_path / "step-1").exists()


def test_export_refuses_what_is_not_the_base(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="shape"):
        export_model.export(tmp_path, tmp_path)


def test_export_writes_bf16(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    (tmp_path / "final").mkdir()
    save_file(network.initial_weights(network.Shape(), 1), tmp_path / "final" / "model.safetensors")
    assert export_model.export(tmp_path / "final", tmp_path) < 9_000_000
    assert {weight.dtype for weight in load_file(tmp_path / "model.safetensors").values()} == {torch.bfloat16}
