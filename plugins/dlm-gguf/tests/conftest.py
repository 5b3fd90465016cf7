"""Small bases, adapters with random numbers in them, and export jobs over the real engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import BaseModel, ExportJob, Message, OpenModel, Precision, Row, Span, chat_row, text_row

QUESTIONS = {
    "Who keeps the lighthouse?": "Oda Vell keeps the lighthouse.",
    "How deep is the bay?": "Twelve fathoms.",
    "What is a gannet?": "A gannet is a sea bird that folds its wings and falls.",
}


def rows() -> tuple[Row, ...]:
    asked = [
        chat_row([Message.of("user", question), Message.of("assistant", answer)], Span(1))
        for question, answer in QUESTIONS.items()
    ]
    return (*asked, text_row("The harbour lies under a hill of slate. Größe 12, naïve.", Span(9)))


def make_base(folder: Path, family: str = "llama", **options: Any) -> Path:
    """A base whose weights and biases are wide enough for every misplaced row to show."""
    import torch
    from safetensors.torch import load_file, save_file

    from dlm_hf.testing import make_small_base

    settings: Any = {
        "hidden": 256,
        "intermediate": 256,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "context": 256,
    } | options
    make_small_base(folder, family, **settings)
    torch.manual_seed(7)
    file = folder / "model.safetensors"
    weights = {
        name: (torch.randn(w.shape) * 0.06).to(w.dtype) if "norm" not in name else w + 0.1 * torch.randn(w.shape)
        for name, w in load_file(file).items()
    }
    save_file(weights, file, {"format": "pt"})
    return folder


def make_adapter(base: Path, folder: Path, **options: Any) -> Path:
    """A PEFT adapter on all linear layers, or as `options` say, every one of whose tensors is far from zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    saved = options.pop("save_embedding_layers", "auto")
    settings: dict[str, Any] = {
        "task_type": "CAUSAL_LM",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": "all-linear",
    } | options
    torch.manual_seed(3)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**settings))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "magnitude" in name:
                parameter.mul_(1 + 0.2 * torch.rand(parameter.shape))
            elif parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.05)
    model.save_pretrained(folder / "default", save_embedding_layers=saved)
    return folder / "default"


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Bases by family and options, each made once."""
    made: dict[str, Path] = {}

    def get(family: str = "llama", **options: Any) -> Path:
        key = f"{family}-{sorted(options.items())}"
        if key not in made:
            made[key] = make_base(tmp_path_factory.mktemp("base"), family, **options)
        return made[key]

    return get


@pytest.fixture
def adapt(tmp_path: Path) -> Callable[..., Path]:
    """Make an adapter for a base, in the test's own folder."""

    def make(base: Path, **options: Any) -> Path:
        return make_adapter(base, tmp_path, **options)

    return make


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., ExportJob]:
    """Export jobs over a base and an adapter folder."""

    def make(base: Path, adapter: Path, quant: str = "", **changes: Any) -> ExportJob:
        from dlm_hf.engine import HfEngine

        engine = HfEngine()
        located = engine.locate(BaseModel(key="small", location=str(base)), fetch=False)
        system = changes.get("system_prompt", "You are brief.")

        def open_model() -> OpenModel:
            return engine.open(located, adapter.parent, Precision("fp32", "none", "test"), system)

        settings: dict[str, Any] = {
            "name": "small",
            "dlm_id": "0" * 26,
            "version": 1,
            "base": located,
            "adapter": adapter,
            "rows": rows(),
            "system_prompt": system,
            "config": {"export": {"default_quant": "Q4_K_M"}},
            "options": {"quant": quant} if quant else {},
            "out": tmp_path / "out",
            "open": open_model,
        }
        return ExportJob(**{**settings, **changes})

    return make
