"""The rules in force in a folder: its own and those of the folders above it, up to the source's root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..api import DocumentError, Problem, Span
from .decisions import Rule, rule
from .ignore import Ignore, as_bytes
from .opening import read_small

if TYPE_CHECKING:
    from .training_yaml import FolderConfig

#: Rule files larger than this are no rule files.
MOST_BYTES = 1 << 20

#: How strong the rules of an ignore file are beside those of another; the deeper folder wins among equals.
_GIT_EXCLUDE, _GITIGNORE, _DLM_IGNORE = range(3)


@dataclass(frozen=True)
class Scope:
    """`start` is where, in a path from the root, the path from the rule's own folder begins."""

    configs: tuple[tuple[int, FolderConfig], ...] = ()
    ignores: tuple[tuple[int, int, Ignore], ...] = ()  # strength, start, rules; the strongest first

    def refine(self, folder: str, path: str, names: frozenset[str]) -> Scope:
        """The scope of a folder: `folder` its absolute path, `path` that from the root, `names` what lies in it.

        Raises DocumentError for a rule file that is broken or cannot be read.
        """
        start = len(path) + 1 if path else 0
        configs, ignores = self.configs, list(self.ignores)
        if ".git" in names and (found := _ignore(f"{folder}/.git/info/exclude")):
            ignores.append((_GIT_EXCLUDE, start, found))
        if ".gitignore" in names and (found := _ignore(f"{folder}/.gitignore")):
            ignores.append((_GITIGNORE, start, found))
        if ".dlm" in names:
            if found := _ignore(f"{folder}/.dlm/ignore"):
                ignores.append((_DLM_IGNORE, start, found))
            if config := _config(f"{folder}/.dlm/training.yaml"):
                configs = ((start, config), *configs)
        if len(ignores) == len(self.ignores) and configs is self.configs:
            return self
        return Scope(configs, tuple(sorted(ignores, key=lambda found: found[:2], reverse=True)))

    def excluded(self, name: str, path: str, is_folder: bool) -> Rule | None:
        """What a `.dlm/training.yaml`, from the root down, or an ignore file says against a file or folder."""
        for start, config in reversed(self.configs):
            if config.exclude is None:
                continue
            find = config.exclude.find_folder if is_folder else config.exclude.find_file
            if (pattern := find(path[start:])) is not None:
                return rule("training.yaml", pattern, config.file, config.lines.get(pattern, 0))
        if not self.ignores:
            return None
        name, raw = as_bytes(name), as_bytes(path)
        shift = len(raw) - len(path)
        for _, start, ignore in self.ignores:
            # The folders before `start` are whole names, so that bytes and letters differ by what they add.
            begin = start if not shift else len(as_bytes(path[:start]))
            if (found := ignore.match(name, raw[begin:], is_folder)) is not None:
                return None if found.keeps else rule("ignore", found.text, ignore.file, found.line)
        return None

    def include(self) -> tuple[int, FolderConfig] | None:
        """The nearest `.dlm/training.yaml` that says what to include; it stands for the source's own `include`."""
        return next((found for found in self.configs if found[1].include is not None), None)

    @cached_property
    def defaults(self) -> bool:
        """Whether the built-in excludes hold: the nearest `.dlm/training.yaml` that says so decides."""
        return next((config.defaults for _, config in self.configs if config.defaults is not None), True)

    @cached_property
    def tags(self) -> Mapping[str, str]:
        return {tag: value for _, config in reversed(self.configs) for tag, value in config.tags.items()}

    @cached_property
    def weight(self) -> tuple[float, str]:
        """The product of the weights of all tags, and the tags that had one."""
        table: dict[tuple[str, str], float] = {}
        for _, config in reversed(self.configs):
            table.update({(tag, v): factor for tag, inner in config.weights.items() for v, factor in inner.items()})
        weight, why = 1.0, []
        for tag, value in self.tags.items():
            if (tag, value) in table:
                weight *= table[tag, value]
                why.append(f"{tag}: {value}")
        return weight, ", ".join(why)


def _ignore(path: str) -> Ignore | None:
    """Its rules; None when there is no such file, or none that git would follow."""
    try:
        found = Ignore(read_small(path, MOST_BYTES), path)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None  # a work tree's `.git` is a file
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    return found if found.rules else None


def _config(path: str) -> FolderConfig | None:
    try:
        data = read_small(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    from .training_yaml import read_training_yaml

    return read_training_yaml(data, path)


def _unusable(path: str, error: OSError | ValueError) -> DocumentError:
    from pathlib import Path

    why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
    problem = Problem(Span(1), f"these rules cannot be read: {why}", None, code="DLM0508", file=Path(path))
    return DocumentError(Path(path), [problem])
