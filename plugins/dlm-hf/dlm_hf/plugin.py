"""Entry point of the plugin: base models, the engine, the trainer and the merged-weights exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl

if TYPE_CHECKING:
    from dlm_core.api import BaseModel, Engine, Explanation, Exporter, Trainer


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    from .bases.registry import known_bases

    return known_bases()


@hookimpl
def dlm_engines() -> list[Engine]:
    from .engine import HfEngine

    return [HfEngine()]


@hookimpl
def dlm_trainers() -> list[Trainer]:
    from .trainers import Sft

    return [Sft()]


@hookimpl
def dlm_exporters() -> list[Exporter]:
    from .exporters import Merged

    return [Merged()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
