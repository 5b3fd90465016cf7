"""The null plugin: never an entry point of core; a test registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import hookimpl
from ...api import BaseModel

if TYPE_CHECKING:
    from ...api import Engine, Trainer
    from ...plugins import Plugins


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    return [
        BaseModel(
            key="null-base",
            location="hub:null/base",
            revision="1",
            parameters=65_536,
            context=4096,
            license="Apache-2.0",
            summary="Counts words; for the tests of plugins.",
        )
    ]


@hookimpl
def dlm_engines(plugins: Plugins) -> list[Engine]:
    from .engine import NullEngine

    return [NullEngine(plugins)]


@hookimpl
def dlm_trainers(plugins: Plugins) -> list[Trainer]:
    from .trainer import NullTrainer

    return [NullTrainer(plugins)]
