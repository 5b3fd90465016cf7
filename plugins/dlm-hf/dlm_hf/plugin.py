"""Entry point of the plugin: base models, the engine, the trainer and the merged-weights exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl

if TYPE_CHECKING:
    from dlm_core.api import BaseModel, Engine, Explanation, Exporter, Trainer
    from dlm_core.commands import Plugins


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    from .bases.registry import known_bases

    return known_bases()


@hookimpl
def dlm_engines(plugins: Plugins) -> list[Engine]:
    from .engine import HfEngine

    return [HfEngine(plugins)]


@hookimpl
def dlm_trainers(plugins: Plugins) -> list[Trainer]:
    from .trainers import Sft

    return [Sft(plugins)]


@hookimpl
def dlm_exporters() -> list[Exporter]:
    from .exporters import Merged

    return [Merged()]


@hookimpl
def dlm_hookspecs() -> list[type]:
    from .modalities import ModalitySpec

    return [ModalitySpec]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
