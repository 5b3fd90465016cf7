"""What to do about a name that no plugin at work provides."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .known import KNOWN
from .registry import Hint, Plugin

if TYPE_CHECKING:
    from .facade import Plugins


def for_name(plugins: Plugins, kind: str, name: str) -> Hint | None:
    """The hint for one name: claimed twice, not installed, disabled or failed; None for any other."""
    registry = plugins.registry(kind)
    if registry is not None and name in registry.clashes:
        return claimed(plugins, registry.clashes[name])
    if known := KNOWN.get((kind, name)):
        return _of_provider(plugins, *known)
    return None


def for_kind(plugins: Plugins, kind: str) -> Hint | None:
    """The hint when nothing of a kind is there: of the first known provider that is not at work."""
    providers = sorted({provider for (known, _), provider in KNOWN.items() if known == kind})
    return next(filter(None, (_of_provider(plugins, *provider) for provider in providers)), None)


def perhaps(plugins: Plugins) -> Hint | None:
    """The hint for a name nobody knows, when a plugin of somebody else is not at work: it may be that one's."""
    ours = {dist for dist, _ in KNOWN.values()}
    for plugin in plugins.all:
        if plugin.state in ("disabled", "failed") and plugin.dist not in ours:
            hint = _of_provider(plugins, plugin.dist, plugin.name)
            return Hint(f"perhaps {hint.text}", hint.code) if hint else None
    return None


def claimed(plugins: Plugins, claimants: tuple[Plugin, ...]) -> Hint:
    """The hint for a name that several plugins claim: how to leave one out of this very command."""
    who = " and ".join(plugin.label for plugin in claimants)
    words = ["dlm", "-P", f"no:{claimants[-1].name}", *(plugins.arguments or ("plugins",))]
    return Hint(f"claimed by {who}; leave one of them out: `{shlex.join(words)}`", "DLM0304")


def failed(plugin: Plugin) -> Hint:
    """The hint for what a failed plugin would have provided."""
    text = f"provided by {plugin.label}, which failed: {plugin.why}; see `dlm plugins --why {shlex.quote(plugin.name)}`"
    return Hint(text, "DLM0303")


def _of_provider(plugins: Plugins, dist: str, name: str) -> Hint | None:
    plugin = plugins.find(name)
    if plugin is None:
        return Hint(f"provided by {dist}, which is not installed: `pip install {dist}`", "DLM0301")
    if plugin.state == "disabled":
        return Hint(f"provided by {plugin.label}, which is disabled here by {plugin.disabled_by}", "DLM0302")
    return failed(plugin) if plugin.state == "failed" else None
