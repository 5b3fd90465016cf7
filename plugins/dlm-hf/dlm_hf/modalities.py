"""How bases take in media: one `Modality` for each kind, given by plugins through the hook `dlm_hf_modalities`.

A text has one placeholder for each file, as the base's chat template writes it.  It is expanded to as many tokens as
the file takes before anything is encoded, so that rows with media have exact ids, lengths and answers like any others,
and stand in one batch with them.  Only the forward pass meets the files themselves, as further tensors.  Imports no
torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pluggy import HookspecMarker

from dlm_core.api import DlmError, Media, RunFailedError

from .shape import read_config

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from dlm_core.api import BaseModel, LocatedBase
    from dlm_core.commands import Plugins
    from dlm_core.media import MediaReader


hookspec = HookspecMarker("dlm")

Limits = Mapping[str, Any]
"""The policy that files of a kind are loaded with, as a base wants them."""


class Modality(ABC):
    """One kind of media, as the families of bases that take it do.  `config` is the base's config.json."""

    kind: ClassVar[str]

    @abstractmethod
    def policy(self, folder: Path, config: Mapping[str, Any]) -> Limits | None:
        """What files are loaded with for the base in `folder`; None for a base that does not take the kind."""

    @abstractmethod
    def placeholder(self, folder: Path) -> str:
        """What the base's chat template writes where a file is."""

    @abstractmethod
    def expansion(self, folder: Path, facts: Mapping[str, Any]) -> str:
        """What stands there in the end: a placeholder token for each vector that the file becomes.  Without torch."""

    @abstractmethod
    def tensors(self, folder: Path, loaded: Sequence[Any]) -> Mapping[str, torch.Tensor]:
        """What the forward pass takes beside ids for these files, all of a batch in the order of its rows."""

    def beside(self, folder: Path, ids: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """What the forward pass takes beside ids, shape (rows, positions), because of where files are in them."""
        return {}

    def content(self) -> Mapping[str, str]:
        """The part of a message's content that chat templates know."""
        return {"type": self.kind}


class ModalitySpec:
    """The hook of this plugin."""

    @hookspec
    def dlm_hf_modalities(self) -> Iterable[Modality]:
        """Kinds of media that bases of transformers take."""
        return ()


def modalities(plugins: Plugins | None, folder: Path) -> dict[str, tuple[Modality, Limits]]:
    """The modality of each kind of media that the base in `folder` takes, with its policy for that base.

    Several plugins may offer a kind, each for bases of its own; of those that serve one base the first by name does.
    """
    offered = plugins.collect("dlm_hf_modalities", Modality) if plugins else ()  # type: ignore[type-abstract]
    config = read_config(folder) if offered else {}
    found: dict[str, tuple[Modality, Limits]] = {}
    for modality in (owned.value for owned in offered):
        with _named(modality.kind):
            policy = modality.policy(folder, config)
        if policy is not None:
            found.setdefault(modality.kind, (modality, policy))
    return found


def accepted(plugins: Plugins | None, base: BaseModel, folder: Path | None) -> Mapping[str, Limits]:
    """The kinds of media that a base takes: those of its entry, with what its files in `folder` say."""
    found = {kind: dict(policy) for kind, policy in base.accepts.items()}
    for kind, (_, policy) in (modalities(plugins, folder) if folder else {}).items():
        found[kind] = {**found.get(kind, {}), **policy}
    return found


@dataclass(frozen=True)
class Senses:
    """What one base takes in beside text."""

    folder: Path
    known: Mapping[str, Modality]
    reader: MediaReader = field(repr=False)

    @cached_property
    def placeholders(self) -> Mapping[str, str]:
        """The placeholder of each kind."""
        return {kind: modality.placeholder(self.folder) for kind, modality in self.known.items()}

    def content(self, part: Media) -> Mapping[str, str]:
        """A part as chat templates know it.  Raises RunFailedError for a kind that the base does not take."""
        if part.kind not in self.known:
            raise RunFailedError(
                f"this base takes no {part.kind}", "choose a base that does, or leave out what is attached"
            )
        return self.known[part.kind].content()

    def refuse_mixture(self, parts: Iterable[Media]) -> None:
        """Raise RunFailedError when the base has one place for several kinds of these parts."""
        sharing: dict[str, list[str]] = {}
        for kind in dict.fromkeys(part.kind for part in parts):
            sharing.setdefault(self.placeholders.get(kind, kind), []).append(kind)
        for kinds in sharing.values():
            if len(kinds) > 1:
                raise _not_together(kinds)

    def expansion(self, part: Media) -> str:
        """What stands for a file in the text."""
        facts = self.reader.facts(part)
        with _named(part.kind):
            return self.known[part.kind].expansion(self.folder, facts)

    def tensors(self, parts: Sequence[Media], ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the forward pass takes beside `ids` for the parts of a batch, in the order of its rows.

        Raises RunFailedError for parts of two kinds that become the same tensor, which has no order between them.
        """
        found: dict[str, torch.Tensor] = {}
        kinds = list(dict.fromkeys(part.kind for part in parts))
        for kind in kinds:
            loaded = [self.reader.load(part) for part in parts if part.kind == kind]
            with _named(kind):
                made = self.known[kind].tensors(self.folder, loaded)
            if found.keys() & made.keys():
                raise _not_together(kinds)
            found |= made
        for modality in self.known.values():
            found |= modality.beside(self.folder, ids)
        return found


@contextmanager
def _named(kind: str) -> Iterator[None]:
    """What a modality did not foresee is told with the kind that it is of."""
    try:
        yield
    except DlmError:
        raise
    except Exception as error:
        error.add_note(f"in the modality of the kind {kind}")
        raise


def _not_together(kinds: Sequence[str]) -> RunFailedError:
    return RunFailedError(
        f"this base has one and the same place for {' and '.join(kinds)}: it cannot learn or answer from both together",
        "show it one of these kinds in a document, and in a question",
    )


def senses_of(plugins: Plugins | None, base: LocatedBase) -> Senses | None:
    """The senses of a base; None for one that takes text only."""
    from dlm_core.media import media_reader

    if plugins is None or not base.model.accepts:
        return None
    known = {kind: one for kind, (one, _) in modalities(plugins, base.folder).items() if kind in base.model.accepts}
    return Senses(base.folder, known, media_reader(plugins, base.model.accepts, base.cache)) if known else None
