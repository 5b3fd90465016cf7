"""The typed face of pluggy: one attribute for each kind of contribution.  Nothing else touches the plugin manager."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from .. import API_VERSION, __version__, api
from ..hookspecs import DlmSpec
from ..spelling import closest
from . import hints
from .attributes import wrong_attribute
from .finder import GROUP, Found, find_plugins, selection
from .guard import guarded
from .registry import Hint, Owned, Plugin, Registry

if TYPE_CHECKING:
    from ..api import (
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

T = TypeVar("T")

#: The blocks that core owns; many plugins may add keys to one of them.
CORE_BLOCKS = frozenset({"training", "training.cache", "export"})


class Plugins:
    """All plugins of this process.  Registries are built when first asked for, sorted by name."""

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        self._manager = pluggy.PluginManager("dlm")
        self._manager.add_hookspecs(DlmSpec)
        self._selection = selection(disabled)
        self._modules: dict[str, object] = {}
        self._opened: set[type] = set()
        self.all: list[Plugin] = []
        #: The words after `dlm` with which this process was started, for hints that say how to start it anew.
        self.arguments: tuple[str, ...] = ()

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
        if reason := self._selection.refuses(found.name):
            plugin.state, plugin.disabled_by = "disabled", reason
            self.all.append(plugin)
            return
        if self.find(found.name):
            self._admit(plugin, None)  # never imported: its name is taken
            return
        start = time.perf_counter()
        try:
            module = guarded(found.load)
        except Exception as error:
            plugin.fail(error)
            self.all.append(plugin)
            return
        plugin.import_seconds = time.perf_counter() - start
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
            mine = [impl for impl in caller.get_hookimpls() if impl.plugin is module]
            if not caller.has_spec() and not all(impl.optionalhook for impl in mine):
                plugin.fail(RuntimeError(f"no such hook {caller.name!r}{self._about_hook(caller.name)}"))
        if plugin.error:
            self._manager.unregister(module)
            del self._modules[plugin.name]

    def _about_hook(self, name: str) -> str:
        """What a hook that nobody at work opens may be: another plugin's, or a misspelt one."""
        if hint := hints.for_name(self, "hook", name):
            return f": {hint.text}"
        close = closest(name, self._hook_names())
        return f"; did you mean {close!r}?" if close else ": neither core nor a plugin at work opens one of this name"

    def _hook_names(self) -> list[str]:
        return [name for name, caller in vars(self._manager.hook).items() if getattr(caller, "spec", None)]

    # -- contributions ------------------------------------------------------------------------------

    def collect(self, hook: str, kind: type[T]) -> list[Owned[T]]:
        """What a hook's implementations return, each called on its own: one that raises costs only its plugin."""
        out: list[Owned[T]] = []
        for impl in sorted(getattr(self._manager.hook, hook).get_hookimpls(), key=lambda impl: impl.plugin_name):
            owner = self._plugin(impl.plugin_name)
            try:
                found = guarded(lambda impl=impl: self._given(impl, hook, kind))  # type: ignore[misc]
            except Exception as error:
                error.add_note(f"raised by plugin {owner.label} in {hook}")
                owner.fail(error)
                continue
            out += [Owned(owner, value) for value in found]
        return out

    def _given(self, impl: pluggy.HookImpl, hook: str, kind: type[T]) -> list[T]:
        found = impl.function(*(self for name in impl.argnames if name == "plugins"))
        if found is None:
            return []
        if not isinstance(found, Iterable):
            raise TypeError(f"{hook} must give a list of {kind.__name__} instances, not {found!r}")
        values = list(found)
        if wrong := next((value for value in values if not isinstance(value, kind)), None):
            raise TypeError(f"{hook} must give {kind.__name__} instances, not {wrong!r}")
        return values

    def _registry(self, kind: str, hook: str, of: type[T], attribute: str) -> Registry[T]:
        """What a hook gives, by the attribute that names it."""
        named = [(name, owned) for owned in self.collect(hook, of) if (name := _name(owned, attribute, of))]
        if kind == "config block":
            named = [(f"{name} of {owned.owner.name}" if name in CORE_BLOCKS else name, owned) for name, owned in named]
        return Registry.of(kind, _rightful(kind, named))

    @cached_property
    def config_blocks(self) -> Registry[ConfigBlock]:
        """By path; one that adds keys to a block of core by `PATH of PLUGIN`, for many may."""
        return self._registry("config block", "dlm_config_blocks", api.ConfigBlock, "path")  # type: ignore[type-abstract]

    @cached_property
    def section_types(self) -> Registry[SectionType]:
        return self._registry("section type", "dlm_section_types", api.SectionType, "name")  # type: ignore[type-abstract]

    @cached_property
    def source_readers(self) -> Registry[SourceReader]:
        return self._registry("source reader", "dlm_source_readers", api.SourceReader, "name")  # type: ignore[type-abstract]

    @cached_property
    def base_models(self) -> Registry[BaseModel]:
        return self._registry("base model", "dlm_base_models", api.BaseModel, "key")

    @cached_property
    def media_kinds(self) -> Registry[MediaKind]:
        return self._registry("media kind", "dlm_media_kinds", api.MediaKind, "name")  # type: ignore[type-abstract]

    @cached_property
    def precision_policies(self) -> Registry[PrecisionPolicy]:
        return self._registry("precision policy", "dlm_precision_policies", api.PrecisionPolicy, "name")  # type: ignore[type-abstract]

    @cached_property
    def trainers(self) -> Registry[Trainer]:
        return self._registry("trainer", "dlm_trainers", api.Trainer, "phase")  # type: ignore[type-abstract]

    @cached_property
    def engines(self) -> Registry[Engine]:
        return self._registry("engine", "dlm_engines", api.Engine, "name")  # type: ignore[type-abstract]

    @cached_property
    def routers(self) -> Registry[Router]:
        return self._registry("router", "dlm_routers", api.Router, "name")  # type: ignore[type-abstract]

    @cached_property
    def exporters(self) -> Registry[Exporter]:
        return self._registry("exporter", "dlm_exporters", api.Exporter, "name")  # type: ignore[type-abstract]

    @cached_property
    def runners(self) -> Registry[Runner]:
        return self._registry("runner", "dlm_runners", api.Runner, "name")  # type: ignore[type-abstract]

    @cached_property
    def commands(self) -> Registry[Command]:
        return self._registry("command", "dlm_commands", api.Command, "name")

    @cached_property
    def explanations(self) -> Registry[Explanation]:
        return self._registry("explanation", "dlm_explanations", api.Explanation, "code")

    def registry(self, kind: str) -> Registry[Any] | None:
        """The registry of a kind, by what its things are called: "section type", "exporter"."""
        attribute = KINDS.get(kind)
        return getattr(self, attribute) if attribute else None

    def registries(self) -> list[Registry[Any]]:
        """Every registry, built now: the way to learn of all that fails."""
        return [getattr(self, attribute) for attribute in KINDS.values()]

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
        if hint := hints.for_name(self, kind, name):
            return hint
        is_misspelt = kind == "config block" or closest(name, self.registry(kind) or ())
        return None if is_misspelt else hints.perhaps(self)

    def missing(self, kind: str) -> Hint | None:
        """What to do when nothing of a kind is there at all."""
        return hints.for_kind(self, kind)

    def useless_choices(self) -> Iterator[str]:
        """A sentence for each name in `-P`, DLM_PLUGINS and DLM_DISABLE_PLUGINS that has no effect."""
        builtin = [plugin.name for plugin in self.all if plugin.state == "builtin"]
        return self._selection.unknown((plugin.name for plugin in self.all), builtin)

    # -- events -------------------------------------------------------------------------------------

    def attach(self, observer: object, name: str) -> None:
        """Add an observer for the life of this process: an object with a `dlm_event` hook implementation."""
        self._manager.register(observer, name)

    def emit(self, event: Event) -> None:
        """Tell every observer.  One that raises is named on stderr and changes nothing."""
        for impl in self._manager.hook.dlm_event.get_hookimpls():
            try:
                told = api.Event(event.kind, dict(event.data))
                impl.function(*(told for name in impl.argnames if name == "event"))
            except (Exception, SystemExit) as error:
                print(f"warning: plugin {impl.plugin_name} failed at {event.kind!r}: {error!r}", file=sys.stderr)


#: What the things of a registry are called -> the attribute of `Plugins` that holds it.
KINDS = {
    "config block": "config_blocks",
    "section type": "section_types",
    "source reader": "source_readers",
    "base model": "base_models",
    "media kind": "media_kinds",
    "precision policy": "precision_policies",
    "trainer": "trainers",
    "engine": "engines",
    "router": "routers",
    "exporter": "exporters",
    "runner": "runners",
    "command": "commands",
    "explanation": "explanations",
}


def _name(owned: Owned[Any], attribute: str, interface: type) -> str:
    """The name of a contribution; empty, and its plugin failed, when it has none or another attribute is wrong."""
    try:
        name = getattr(owned.value, attribute)
        if not (isinstance(name, str) and name):
            raise TypeError(f"{type(owned.value).__name__}.{attribute} is {name!r}, not a name")
        if wrong := wrong_attribute(owned.value, interface):
            raise TypeError(wrong)
        return name
    except Exception as error:
        owned.owner.fail(error)
        return ""


def _rightful(kind: str, named: list[tuple[str, Owned[T]]]) -> list[tuple[str, Owned[T]]]:
    """Without what takes a name of core, and without what one plugin gives twice; such a plugin failed."""
    kept: dict[tuple[str, str], tuple[str, Owned[T]]] = {}
    core = {name for name, owned in named if owned.owner.state == "builtin"}
    for name, owned in named:
        if name in core and owned.owner.state != "builtin":
            owned.owner.fail(RuntimeError(f"the {kind} {name!r} belongs to core"))
        elif (name, owned.owner.name) in kept:
            owned.owner.fail(RuntimeError(f"it gives the {kind} {name!r} twice"))
        else:
            kept[name, owned.owner.name] = (name, owned)
    return list(kept.values())
