"""The values a word on the command line can take, for shell completion: what is there now, nothing heavy imported.

Each function takes click's context, parameter and the word so far, and gives every value that may stand there.  A
plugin's command names one in its own option: `click.option("--adapter", shell_complete=adapters)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..files import expand_home

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem

    from ..document.text import Parts

Items: TypeAlias = "list[CompletionItem[Any]]"

_MOST = 200
#: Keys that no command sets.
FIXED = frozenset({"dlm_id", "dlm_version"})
#: What keys of named adapters begin with.
_ADAPTERS = "training.adapters."
#: A frontmatter may have 1 MiB; that much of a document is read for what stands in it.
_HEAD = 2 << 20


def documents(_ctx: Context, _param: Parameter, word: str) -> Items:
    """The documents where the word points, and those in folders there; other files when there are none."""
    folder, slash, start = word.rpartition("/")
    here = expand_home(folder + slash)
    found: list[str] = []
    for path in sorted(here.iterdir()):
        if not path.name.startswith(start) or (path.name.startswith(".") and not start):
            continue
        if path.is_dir():
            found += [f"{path.name}/{name}" for name in islice(_documents_in(path), _MOST)]
        elif path.suffix == ".dlm":
            found.append(path.name)
    if not found:
        from click.shell_completion import CompletionItem

        return [CompletionItem(word, type="file")]
    return _matching({folder + slash + name: "" for name in found[:_MOST]}, word)


def places(ctx: Context, _param: Parameter, word: str) -> Items:
    """`DOC:LINE`: after the colon, the lines of the document's sections."""
    name, colon, _ = word.rpartition(":")
    if not colon:
        return documents(ctx, _param, word)
    from ..document.fences import Piece, cut

    text, parts = _divided(expand_home(name))
    lines: dict[str, str] = {}
    for piece in cut(text, parts.body, parts.body_line):
        if isinstance(piece, Piece):
            line = _first_line(text[piece.start : piece.end], piece.span.line) if piece.implicit else piece.span.line
            lines |= {f"{name}:{line}": piece.type} if line else {}
    return _matching(lines, word)


def _first_line(content: str, line: int) -> int | None:
    """The first line with something on it, of a content that begins on `line`."""
    blank = len(content) - len(content.lstrip())
    return line + content.count("\n", 0, blank) if blank < len(content) else None


def adapters(ctx: Context, _param: Parameter, word: str) -> Items:
    """The adapters of the document typed before."""
    training = _frontmatter(ctx).get("training")
    declared = training.get("adapters") if isinstance(training, dict) else None
    return _matching(dict.fromkeys(declared, "") if isinstance(declared, dict) else {"default": ""}, word)


def versions(ctx: Context, _param: Parameter, word: str) -> Items:
    """The trained versions of the document typed before."""
    from ..store import open_store

    found = open_store(str(_frontmatter(ctx)["dlm_id"])).versions()
    return _matching({str(version.number): version.created for version in reversed(found)}, word)


def bases(ctx: Context, _param: Parameter, word: str) -> Items:
    """The base models that plugins know."""
    from .group import plugins_of

    return _matching({key: base.summary for key, base in plugins_of(ctx).base_models.items()}, word)


def exporters(ctx: Context, _param: Parameter, word: str) -> Items:
    """The formats of exports that are not on the line yet."""
    from .group import plugins_of

    found = plugins_of(ctx).exporters.items()
    return _matching({name: exporter.help for name, exporter in found if name not in _words(ctx)}, word)


def exporter_options(ctx: Context, _param: Parameter, word: str) -> Items:
    """`NAME=VALUE` of the exporters on the line, or of any when there are none."""
    from .group import plugins_of

    known = plugins_of(ctx).exporters
    chosen = [name for name in known if name in _words(ctx)]
    options = {
        f"{key}={value}": option.help
        for name in chosen or known
        for key, option in known[name].options.items()
        for value in option.choices or ("",)
    }
    return _matching(options, word)


def runners(ctx: Context, _param: Parameter, word: str) -> Items:
    """The places where training can run."""
    from .group import plugins_of

    return _matching(dict.fromkeys(plugins_of(ctx).runners, ""), word)


def plugin_names(ctx: Context, _param: Parameter, word: str) -> Items:
    """The plugins here, and those of this project that are not."""
    from ..plugins.known import KNOWN
    from .group import plugins_of

    missing = {name: f"in {dist}, not installed" for dist, name in KNOWN.values()}
    here = {plugin.name: f"{plugin.dist} {plugin.version}, {plugin.state}" for plugin in plugins_of(ctx).all}
    return _matching({**missing, **here}, word)


def plugin_choices(ctx: Context, _param: Parameter, word: str) -> Items:
    """`no:NAME` of the plugins that can be left out."""
    from .group import plugins_of

    here = [plugin for plugin in plugins_of(ctx).all if plugin.state != "builtin"]
    return _matching({f"no:{plugin.name}": f"{plugin.dist} {plugin.version}" for plugin in here}, word)


def templates(_ctx: Context, _param: Parameter, word: str) -> Items:
    """The templates of `dlm init`."""
    from .init import template_names

    return _matching(dict.fromkeys(template_names(), ""), word)


def codes(ctx: Context, _param: Parameter, word: str) -> Items:
    """The codes of problems."""
    from .group import plugins_of

    return _matching({one.code: one.title for one in plugins_of(ctx).explanations.values()}, word.upper())


def keys(ctx: Context, param: Parameter, word: str) -> Items:
    """The frontmatter's keys, or after a key (`KEY`, `KEY=`) the values that it can be one of."""
    from ..document.blocks import find_blocks
    from ..document.keys import keys_below, known_keys
    from .group import plugins_of

    model = find_blocks(plugins_of(ctx)).model
    known = known_keys(model)
    if any(one.startswith(_ADAPTERS) for one in (word, next(reversed(_words(ctx)), ""))):
        for name in _named_adapters(ctx):
            known |= keys_below(model, ("training", "adapters", name))
    key, equals, _ = word.partition("=")
    if equals:
        return _matching({f"{key}={value}": "" for value in known[key].values} if key in known else {}, word)
    before = next(reversed(_words(ctx)), "")
    if before == "base_model":
        return bases(ctx, param, word)
    if before in known:
        return _matching(dict.fromkeys(known[before].values, ""), word)
    return _matching({name: about.description for name, about in known.items() if name not in FIXED}, word)


def _named_adapters(ctx: Context) -> list[str]:
    """The names under `training.adapters` of the document typed before."""
    training = _frontmatter(ctx).get("training")
    named = training.get("adapters") if isinstance(training, dict) else None
    return [*named] if isinstance(named, dict) else []


def written_keys(ctx: Context, _param: Parameter, word: str) -> Items:
    """The keys that the document typed before has."""
    return _matching(dict.fromkeys(_dotted(_frontmatter(ctx)), ""), word)


def _dotted(block: Mapping[str, Any], around: str = "") -> Iterator[str]:
    for name, value in block.items():
        yield f"{around}{name}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{around}{name}.")


def _matching(values: Mapping[str, str], word: str) -> Items:
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=text or None) for value, text in values.items() if value.startswith(word)]


def _documents_in(folder: Path) -> Iterator[str]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".dlm")
    except OSError:
        return
    yield from names


def _divided(path: Path) -> tuple[str, Parts]:
    """A document's text and where its parts are.  Raises what is wrong with it; no completion then."""
    from ..document.text import Parts, decode, divide

    text, _ = decode(path.read_bytes(), path)
    parts = divide(text)
    if not isinstance(parts, Parts):
        raise ValueError(f"{path} has no frontmatter")
    return text, parts


def _words(ctx: Context) -> tuple[str, ...]:
    """Every word on the line: an option without its value keeps click from parsing any."""
    words: tuple[str, ...] = ctx.meta.get("dlm.arguments", ())
    return words


def _frontmatter(ctx: Context) -> Mapping[str, Any]:
    """The keys of the document typed before, unchecked.  Raises when there is none or it cannot be read."""
    from ..document.text import Parts, divide

    document = next(path for word in _words(ctx) if word.endswith(".dlm") and (path := expand_home(word)).is_file())
    with document.open("rb") as file:
        parts = divide(file.read(_HEAD).decode("utf-8-sig", errors="replace").replace("\r\n", "\n"))
    if not isinstance(parts, Parts):
        raise ValueError(f"{document} has no frontmatter")
    if parts.syntax == "toml":
        from ..document.toml_text import read_toml as read
    else:
        from ..document.yaml_text import read_yaml as read
    data = read(parts.frontmatter, 2).data
    if data is None:
        raise ValueError(f"the frontmatter of {document} cannot be read")
    return data
