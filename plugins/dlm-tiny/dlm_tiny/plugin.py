"""Entry point of the plugin: declares the embedded base model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlm_core import hookimpl

if TYPE_CHECKING:
    from dlm_core.api import BaseModel

MODEL = Path(__file__).resolve().parent / "model"


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    """One base, whose files lie inside this package."""
    from dlm_core.api import BaseModel

    return [
        BaseModel(
            key="tiny",
            location=str(MODEL),
            parameters=4_458_752,
            context=1024,
            size=9_188_197,
            family="llama",
            license="Apache-2.0",
            summary="Embedded 4.5M-parameter English model for first runs, tests and demos; knows no facts.",
            recommended={
                "training.lora_r": 16,
                "training.lora_alpha": 32,
                "training.lora_dropout": 0,
                "training.learning_rate": 5e-3,
                "training.num_epochs": 20,
                "training.sequence_len": 512,
            },
        )
    ]
