"""The typed face of pluggy: one attribute for each kind of contribution.  Nothing else touches the plugin manager."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from .. import API_VERSION, __version__, api
from ..hookspecs import DlmSpec
from .finder import GROUP, Found, find_plugins, selection
from .known import KNOWN
from .registry import Hint, Owned, Plugin, Registry, closest

if TYPE_CHECKING:
    from ..api import (
        BaseModel,
        Command,
        ConfigBlock,
        Engine,
        Event,
        Exporter,
        MediaKind,
        PrecisionPolicy,
        Runner,
        SectionType,
        SourceReader,
        Trainer,
    )

T = TypeVar("T")


class Plugins:
    """All plugins of this process.  Registries are built when first asked for, sorted by name."""

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        self._manager = pluggy.PluginManager("dlm")
        self._manager.add_hookspecs(DlmSpec)
        self._selection = selection(disabled)
        self._modules: dict[str, object] = {}
        self._opened: set[type] = set()
        self.all: list[Plugin] = []

    @classmethod
    def load(cls, disabled: Iterable[str] = (), group: str = GROUP) -> Plugins:
        """Core's own plugin and every allowed plugin of the entry-point group; failures are kept, not raised."""
        from ..builtin import plugin as builtin

        self = cls(disabled)
        self._admit(Plugin("core", "dlm-core", __version__, "builtin"), builtin)
        for found in find_plugins(group):
            self._load(found)
        self._open_further_hooks()
        for plugin in list(self.all):
            self._check_hooks(plugin)
        return self

    def register(self, module: ModuleType | object, name: str, dist: str = "local", version: str = "0") -> Plugin:
        """Register one plugin object by hand, for tests; raises what is wrong with it."""
        plugin = Plugin(name, dist, version)
        self._admit(plugin, module)
        self._open_further_hooks()
        self._check_hooks(plugin)
        self._forget_registries()
        if plugin.error:
            raise plugin.error
        return plugin

    # -- loading ------------------------------------------------------------------------------------

    def _load(self, found: Found) -> None:
        plugin = Plugin(found.name, found.dist, found.version)
        if not self._selection.allows(found.name):
            plugin.state = "disabled"
            self.all.append(plugin)
            return
        try:
            module = found.load()
        except (Exception, SystemExit) as error:
            plugin.fail(error)
            self.all.append(plugin)
            return
        self._admit(plugin, module)

    def _admit(self, plugin: Plugin, module: object) -> None:
        twin = self.find(plugin.name)
        self.all.append(plugin)
        try:
            if twin:
                raise RuntimeError(f"the name {plugin.name!r} is taken by {twin.label}; uninstall one of the two")
            written_for = getattr(module, "DLM_API", API_VERSION)
            if written_for != API_VERSION:
                raise RuntimeError(f"written for plugin API {written_for}; dlm-core {__version__} has {API_VERSION}")
            self._manager.register(module, plugin.name)
            self._modules[plugin.name] = module
        except Exception as error:
            plugin.fail(error)

    def _open_further_hooks(self) -> None:
        for owned in self.collect("dlm_hookspecs", type):
            if owned.value in self._opened:
                continue
            try:
                self._manager.add_hookspecs(owned.value)
                self._opened.add(owned.value)
            except ValueError as error:
                owned.owner.fail(error)

    def _check_hooks(self, plugin: Plugin) -> None:
        module = self._modules.get(plugin.name)
        if module is None or plugin.error:
            return
        callers = self._manager.get_hookcallers(module) or []
        plugin.hooks = tuple(sorted(caller.name for caller in callers))
        for caller in callers:
            if caller.has_spec():
                continue
            close = closest(caller.name, self._hook_names())
            maybe = f"; did you mean {close!r}?" if close else ""
            plugin.fail(RuntimeError(f"no such hook {caller.name!r}{maybe}"))
        if plugin.error:
            self._manager.unregister(module)
            del self._modules[plugin.name]

    def _hook_names(self) -> list[str]:
        return [name for name, caller in vars(self._manager.hook).items() if getattr(caller, "spec", None)]

    # -- contributions ------------------------------------------------------------------------------

    def collect(self, hook: str, kind: type[T]) -> list[Owned[T]]:
        """What a hook's implementations return, each called on its own: one that raises costs only its plugin."""
        out: list[Owned[T]] = []
        for impl in sorted(getattr(self._manager.hook, hook).get_hookimpls(), key=lambda impl: impl.plugin_name):
            owner = self._plugin(impl.plugin_name)
            try:
                found = list(impl.function(*(self for name in impl.argnames if name == "plugins")) or ())
                if wrong := next((value for value in found if not isinstance(value, kind)), None):
                    raise TypeError(f"{hook} must give {kind.__name__} instances, not {wrong!r}")
            except Exception as error:
                error.add_note(f"raised by plugin {owner.label} in {hook}")
                owner.fail(error)
                continue
            out += [Owned(owner, value) for value in found]
        return out

    @cached_property
    def config_blocks(self) -> Registry[ConfigBlock]:
        owned = self.collect("dlm_config_blocks", api.ConfigBlock)  # type: ignore[type-abstract]
        return Registry.of("config block", owned, lambda block: block.path)

    @cached_property
    def section_types(self) -> Registry[SectionType]:
        owned = self.collect("dlm_section_types", api.SectionType)  # type: ignore[type-abstract]
        return Registry.of("section type", owned, lambda section: section.name)

    @cached_property
    def source_readers(self) -> Registry[SourceReader]:
        owned = self.collect("dlm_source_readers", api.SourceReader)  # type: ignore[type-abstract]
        return Registry.of("source reader", owned, lambda reader: reader.name)

    @cached_property
    def base_models(self) -> Registry[BaseModel]:
        return Registry.of("base model", self.collect("dlm_base_models", api.BaseModel), lambda base: base.key)

    @cached_property
    def media_kinds(self) -> Registry[MediaKind]:
        owned = self.collect("dlm_media_kinds", api.MediaKind)  # type: ignore[type-abstract]
        return Registry.of("media kind", owned, lambda media: media.name)

    @cached_property
    def precision_policies(self) -> Registry[PrecisionPolicy]:
        owned = self.collect("dlm_precision_policies", api.PrecisionPolicy)  # type: ignore[type-abstract]
        return Registry.of("precision policy", owned, lambda policy: policy.name)

    @cached_property
    def trainers(self) -> Registry[Trainer]:
        owned = self.collect("dlm_trainers", api.Trainer)  # type: ignore[type-abstract]
        return Registry.of("trainer", owned, lambda trainer: trainer.phase)

    @cached_property
    def engines(self) -> Registry[Engine]:
        owned = self.collect("dlm_engines", api.Engine)  # type: ignore[type-abstract]
        return Registry.of("engine", owned, lambda engine: engine.name)

    @cached_property
    def exporters(self) -> Registry[Exporter]:
        owned = self.collect("dlm_exporters", api.Exporter)  # type: ignore[type-abstract]
        return Registry.of("exporter", owned, lambda exporter: exporter.name)

    @cached_property
    def runners(self) -> Registry[Runner]:
        owned = self.collect("dlm_runners", api.Runner)  # type: ignore[type-abstract]
        return Registry.of("runner", owned, lambda runner: runner.name)

    @cached_property
    def commands(self) -> Registry[Command]:
        return Registry.of("command", self.collect("dlm_commands", api.Command), lambda command: command.name)

    def registries(self) -> list[Registry[Any]]:
        """Every registry, built now: the way to learn of all that fails."""
        return [
            self.config_blocks,
            self.section_types,
            self.source_readers,
            self.base_models,
            self.media_kinds,
            self.precision_policies,
            self.trainers,
            self.engines,
            self.exporters,
            self.runners,
            self.commands,
        ]

    def _forget_registries(self) -> None:
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                vars(self).pop(name, None)

    # -- looking things up --------------------------------------------------------------------------

    def find(self, name: str) -> Plugin | None:
        return next((plugin for plugin in self.all if plugin.name == name), None)

    def _plugin(self, name: str) -> Plugin:
        return next(plugin for plugin in self.all if plugin.name == name and name in self._modules)

    def versions(self) -> dict[str, str]:
        """Distribution -> version of every plugin at work, to be stored with what they made."""
        return {plugin.dist: plugin.version for plugin in self.all if plugin.state in ("builtin", "active")}

    def get(self, registry: Registry[T], name: str) -> T:
        """A contribution by name.  Raises PluginMissingError when something must be installed or enabled for it,
        UsageError that says which names there are otherwise."""
        if name in registry:
            return registry[name]
        if hint := self.hint(registry.kind, name):
            raise api.PluginMissingError(f"no {registry.kind} {name!r}", hint.text)
        close = closest(name, registry)
        known = f"did you mean {close!r}?" if close else f"known: {', '.join(registry) or 'none'}"
        raise api.UsageError(f"no {registry.kind} {name!r}", known)

    def hint(self, kind: str, name: str) -> Hint | None:
        """What to do about a `name` nobody provides: install it, enable it, repair it, or choose between two."""
        registry = next((registry for registry in self.registries() if registry.kind == kind), None)
        if registry is not None and name in registry.clashes:
            claimants = registry.clashes[name]
            who = " and ".join(plugin.label for plugin in claimants)
            return Hint(f"claimed by {who}; disable one with `dlm -P no:{claimants[-1].name} ...`", "DLM0304")
        known = KNOWN.get((kind, name))
        return self._provider_hint(*known) if known else None

    def missing(self, kind: str) -> Hint | None:
        """What to do when nothing of a kind is there at all: the first known provider that is not at work."""
        providers = sorted({provider for (known, _), provider in KNOWN.items() if known == kind})
        return next(filter(None, (self._provider_hint(*provider) for provider in providers)), None)

    def _provider_hint(self, dist: str, plugin_name: str) -> Hint | None:
        plugin = self.find(plugin_name)
        if plugin is None:
            return Hint(f"provided by {dist}, which is not installed: pip install {dist}", "DLM0301")
        if plugin.state == "disabled":
            return Hint(f"provided by {plugin.label}, which is disabled here", "DLM0302")
        if plugin.state == "failed":
            text = f"provided by {plugin.label}, which failed: {plugin.why}; see `dlm plugins --why {plugin.name}`"
            return Hint(text, "DLM0303")
        return None

    # -- events -------------------------------------------------------------------------------------

    def attach(self, observer: object, name: str) -> None:
        """Add an observer for the life of this process: an object with a `dlm_event` hook implementation."""
        self._manager.register(observer, name)

    def emit(self, event: Event) -> None:
        """Tell every observer.  One that raises is named on stderr and changes nothing."""
        for impl in self._manager.hook.dlm_event.get_hookimpls():
            try:
                impl.function(*(event for name in impl.argnames if name == "event"))
            except Exception as error:
                print(f"warning: plugin {impl.plugin_name} failed at {event.kind!r}: {error!r}", file=sys.stderr)
