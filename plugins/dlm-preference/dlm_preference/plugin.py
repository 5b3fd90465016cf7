"""Entry point of the plugin: the section type, its block, its trainer and the command that mines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlm_core import hookimpl
from dlm_core.api import Command, ConfigBlock

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pydantic

    from dlm_core.api import Document, Explanation, Problem, SectionType, Trainer

    from .judge import Judge


class PreferenceBlock(ConfigBlock):
    """`training.preference`."""

    path = "training.preference"

    def model(self) -> type[pydantic.BaseModel]:
        from .config import PreferenceConfig

        return PreferenceConfig

    def check(self, doc: Document) -> Iterable[Problem]:
        from .rules import problems

        return problems(doc)


@hookimpl
def dlm_config_blocks() -> list[ConfigBlock]:
    return [PreferenceBlock()]


@hookimpl
def dlm_section_types() -> list[SectionType]:
    from .section import Preference

    return [Preference()]


@hookimpl
def dlm_trainers() -> list[Trainer]:
    from .trainer import PreferenceTrainer

    return [PreferenceTrainer()]


@hookimpl
def dlm_commands() -> list[Command]:
    about = "mine better and worse answers from the trained model"
    return [Command("preference", about, "dlm_preference.cli:preference", Path(__file__).parent / "schemas")]


@hookimpl
def dlm_hookspecs() -> list[type]:
    from .judge import JudgeSpec

    return [JudgeSpec]


@hookimpl
def dlm_preference_judges() -> list[Judge]:
    from .judges import FromCommand, OwnAnswer, RewardModel

    return [OwnAnswer(), FromCommand(), RewardModel()]


@hookimpl
def dlm_explanations() -> list[Explanation]:
    from dlm_core.api import read_explanations

    return read_explanations(Path(__file__).parent / "explanations")
