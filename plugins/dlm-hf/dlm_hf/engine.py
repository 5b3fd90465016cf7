"""The engine that core asks: finds bases, measures rows without torch, opens models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_core.api import BaseModel, Engine, LocatedBase, Mix, OpenModel, Precision, Row, RowSize, RowTokens

if TYPE_CHECKING:
    from dlm_core.api.jobs import LongRows
    from dlm_core.commands import Plugins

    from .modalities import Senses


class HfEngine(Engine):
    """Runs any causal language model that transformers knows, from a folder or from the hub's cache."""

    name = "hf"

    def __init__(self, plugins: Plugins | None = None) -> None:
        self.plugins = plugins

    def can(self, base: BaseModel) -> bool:
        return base.location.startswith("hub:") or Path(base.location).is_absolute()

    def locate(self, base: BaseModel, *, fetch: bool) -> LocatedBase:
        from .bases.locate import locate

        return locate(base, fetch=fetch)

    def is_here(self, base: BaseModel) -> bool:
        from .bases.locate import find_folder

        return find_folder(base) is not None

    def accepts(self, base: BaseModel) -> Mapping[str, Mapping[str, Any]]:
        from .bases.locate import find_folder
        from .modalities import accepted

        return accepted(self.plugins, base, find_folder(base))

    def measure(
        self, base: LocatedBase, rows: Sequence[Row], system_prompt: str | None, sequence_len: int
    ) -> list[RowSize]:
        from .measure import row_sizes

        return row_sizes(base.folder, rows, system_prompt, sequence_len, base.cache, self._senses(base))

    def tokens(
        self,
        base: LocatedBase,
        rows: Sequence[Row],
        system_prompt: str | None,
        sequence_len: int,
        long_rows: LongRows = "error",
    ) -> Iterator[RowTokens]:
        from .shown import row_tokens

        return row_tokens(base.folder, rows, system_prompt, sequence_len, long_rows, self._senses(base))

    def open(
        self, base: LocatedBase, adapters: Path | None, precision: Precision, system_prompt: str | None
    ) -> OpenModel:
        from .open_model import HfOpenModel

        return HfOpenModel(base, adapters, precision, system_prompt, self._senses(base))

    def _senses(self, base: LocatedBase) -> Senses | None:
        from .modalities import senses_of

        return senses_of(self.plugins, base)

    def mix(self, base: LocatedBase, adapters: Path, weights: Mapping[str, float], name: str, out: Path) -> Mix:
        from .mix import mix_adapters

        return mix_adapters(base, adapters, weights, name, out)
