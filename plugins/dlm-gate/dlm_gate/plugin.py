"""Entry point of the plugin: its block, its phase, its router and the pages of its codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pydantic

    from dlm_core.api import Document, Explanation, Problem, Router, Trainer


class GateBlock(ConfigBlock):
    """`training.gate`."""

    path = "training.gate"

    def model(self) -> type[pydantic.BaseModel]:
        from .config import GateConfig

        return GateConfig

    def check(self, doc: Document) -> Iterable[Problem]:
        from .rules import problems

        return problems(doc)


@hookimpl
def dlm_config_blocks() -> list[ConfigBlock]:
    return [GateBlock()]


@hookimpl
def dlm_trainers() -> list[Trainer]:
    from .trainer import GateTrainer

    return [GateTrainer()]


@hookimpl
def dlm_routers() -> list[Router]:
    from .router import Gate

    return [Gate()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from pathlib import Path

    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
