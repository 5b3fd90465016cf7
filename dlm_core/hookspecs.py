"""Every place where a plugin can reach into DLM.  Hooks return declarations; none depends on call order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pluggy import HookspecMarker

if TYPE_CHECKING:
    from .api import (
        BaseModel,
        Command,
        ConfigBlock,
        Engine,
        Event,
        Explanation,
        Exporter,
        MediaKind,
        PrecisionPolicy,
        Router,
        Runner,
        SectionType,
        SourceReader,
        Trainer,
    )
    from .plugins import Plugins

hookspec = HookspecMarker("dlm")


class DlmSpec:
    """The hooks of core.  A plugin declares further ones through `dlm_hookspecs`."""

    @hookspec
    def dlm_config_blocks(self) -> Iterable[ConfigBlock]:
        """Frontmatter blocks this plugin owns."""
        return ()

    @hookspec
    def dlm_section_types(self) -> Iterable[SectionType]:
        """Body section types, each with its fence attributes."""
        return ()

    @hookspec
    def dlm_source_readers(self) -> Iterable[SourceReader]:
        """Readers for files named by `training.sources`, by suffix and then by content."""
        return ()

    @hookspec
    def dlm_base_models(self) -> Iterable[BaseModel]:
        """Base models a document can name by key."""
        return ()

    @hookspec
    def dlm_media_kinds(self) -> Iterable[MediaKind]:
        """Kinds of media part that rows may carry."""
        return ()

    @hookspec
    def dlm_precision_policies(self) -> Iterable[PrecisionPolicy]:
        """Ways to choose dtype and quantization for a machine, a base and a document."""
        return ()

    @hookspec
    def dlm_trainers(self, plugins: Plugins) -> Iterable[Trainer]:
        """Training phases, each with the row kinds it consumes.  `plugins` gives what others contribute."""
        return ()

    @hookspec
    def dlm_engines(self, plugins: Plugins) -> Iterable[Engine]:
        """Engines that locate bases, measure rows, generate and score.  `plugins` gives what others contribute."""
        return ()

    @hookspec
    def dlm_routers(self, plugins: Plugins) -> Iterable[Router]:
        """Who decides, prompt by prompt, how much of each adapter answers.  `plugins` gives what others contribute."""
        return ()

    @hookspec
    def dlm_exporters(self, plugins: Plugins) -> Iterable[Exporter]:
        """Formats a trained adapter can be written in.  `plugins` gives what others contribute."""
        return ()

    @hookspec
    def dlm_runners(self) -> Iterable[Runner]:
        """Places where a training job executes."""
        return ()

    @hookspec
    def dlm_commands(self) -> Iterable[Command]:
        """Subcommands of `dlm`."""
        return ()

    @hookspec
    def dlm_explanations(self) -> Iterable[Explanation]:
        """Pages for the codes of the problems this plugin finds, shown by `dlm explain CODE`."""
        return ()

    @hookspec
    def dlm_hookspecs(self) -> Iterable[type]:
        """Classes with further hook specifications, for plugins that take plugins of their own."""
        return ()

    @hookspec
    def dlm_event(self, event: Event) -> None:
        """Watch a run.  Nothing an observer returns or raises changes the run."""
