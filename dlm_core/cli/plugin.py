"""`dlm plugin new`: a package for a plugin, which installs and passes its own tests."""

from __future__ import annotations

import keyword
import re
import shutil
from pathlib import Path

import click

from .. import __version__
from ..api import UsageError
from ..plugins import Plugins

TEMPLATES = Path(__file__).parent.parent / "plugin_templates"
#: In both folders' files, these words stand for the plugin's own names.
DIST, NAME, CLASS = "dlm-newplugin", "newplugin", "NewPlugin"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def kinds() -> list[str]:
    """The kinds of plugin there is a template for, sorted."""
    return sorted(
        path.name for path in TEMPLATES.iterdir() if path.is_dir() and path.name not in ("shared", "__pycache__")
    )


@click.group()
def plugin() -> None:
    """Write a plugin of your own."""


@plugin.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(kinds()), required=True, help="What the plugin adds.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="The folder to make (default: dlm-NAME).")
@click.pass_obj
def new(plugins: Plugins, name: str, kind: str, to: Path | None) -> None:
    """Make the package of a plugin NAME, with tests that pass."""
    name = name.lower().removeprefix("dlm-")
    _check_name(name, kind, plugins)
    folder = to or Path(f"dlm-{name.replace('_', '-')}")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "choose another folder with `--to`")
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {folder.absolute().parent}", f"mkdir -p {folder.absolute().parent}")
    make_package(name, kind, folder)
    print(f"created {folder}")
    print(f"  pip install -e '{folder}[test]' && pytest {folder}")


def make_package(name: str, kind: str, folder: Path) -> None:
    """Copy the template of a kind into `folder`, under the plugin's own names; all of it or nothing."""
    own = own_names(name)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for source in template_files(kind):
            target = part / own_words(source.relative_to(source_root(source)).as_posix(), own)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(own_words(source.read_text(encoding="utf-8"), own), encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def template_files(kind: str) -> list[Path]:
    """The files of a kind's template, those that all kinds share among them."""
    found = [path for root in ("shared", kind) for path in sorted((TEMPLATES / root).rglob("*")) if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]


def source_root(path: Path) -> Path:
    """The template folder a file lies in."""
    return TEMPLATES / path.relative_to(TEMPLATES).parts[0]


def own_names(name: str) -> dict[str, str]:
    """The template's words -> the plugin's, in the order in which they are replaced."""
    snake = name.replace("-", "_")
    major, minor, *_ = __version__.split(".")
    return {
        "dlm-core>=0,<1": f"dlm-core>={major}.{minor},<{major}.{int(minor) + 1}",
        DIST: f"dlm-{snake.replace('_', '-')}",
        NAME: snake,
        CLASS: "".join(part.capitalize() for part in snake.split("_")),
    }


def own_words(text: str, own: dict[str, str]) -> str:
    for word, mine in own.items():
        text = text.replace(word, mine)
    return text


def _check_name(name: str, kind: str, plugins: Plugins) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be the name of a plugin",
            "use small letters, digits and dashes, a letter first, and no word of Python's own",
        )
    if plugins.find(name.replace("-", "_")):
        raise UsageError(f"there is a plugin {name!r} here already", "choose another name; `dlm plugins` lists them")
    taken = {
        known for registry in plugins.registries() if registry.kind.replace(" ", "-") == kind for known in registry
    }
    if name.replace("-", "_") in taken:
        raise UsageError(f"there is a {kind.replace('-', ' ')} {name!r} already", "choose another name")
