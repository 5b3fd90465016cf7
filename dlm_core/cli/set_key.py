"""`dlm set`: change keys of a document's frontmatter and nothing else in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from ..api import DocumentError, Problem, UsageError
from ..plugins import Plugins
from . import values
from .common import document_argument, json_option
from .editing import about, change_json, print_diff, read_bytes
from .terminal import print_json

_FIXED = {
    "dlm_id": ("`dlm_id` is the name that the document's versions are kept under", "a copy gets its own by `dlm init`"),
    "dlm_version": ("`dlm_version` says how the document is to be read", "`dlm migrate` rewrites it as the newest"),
}


@click.command("set")
@document_argument
@click.argument("words", nargs=-1, metavar="[KEY VALUE]...", shell_complete=values.keys)
@click.option(
    "--unset",
    "gone",
    multiple=True,
    metavar="KEY",
    help="Remove a key; may be repeated.",
    shell_complete=values.written_keys,
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would change.")
@json_option
@click.pass_obj
def set_key(
    plugins: Plugins, document: Path, words: tuple[str, ...], gone: tuple[str, ...], dry_run: bool, as_json: bool
) -> int:
    """Set keys of DOCUMENT's frontmatter, such as `training.lora_r 16` or `training.lora_r=16`.

    VALUE is YAML on one line; for keys that take text it is the text as it stands.  Everything else in the file keeps
    its bytes.  A value that the key does not take is refused with exit code 3, and nothing is changed.
    """
    from ..editing import write_document

    settings = list(_pairs(words))
    if not settings and not gone:
        name = shlex.quote(str(document))
        raise UsageError("nothing to set", f"dlm set {name} training.num_epochs 5")
    before = read_bytes(document)
    with about(document):
        after = _changed(before, settings, gone, plugins)
    new = _new_errors(before, after, document, plugins)
    if not new and not dry_run and after != before:
        write_document(document, after, before)
    if as_json:
        print_json("set", {**change_json(document, before, after, not new and not dry_run), "problems": _json(new)})
    elif new:
        _print_problems(new, document, after)
    elif after == before:
        print(f"{document}: nothing to change")
    else:
        print_diff(before, after, document)
    return DocumentError(document, new).exit_code if new else 0


def _json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    from .check import problem_json

    return [problem_json(problem) for problem in problems]


def _pairs(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """KEY VALUE and KEY=VALUE, in any order."""
    rest = iter(words)
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals:
            found = next(rest, None)
            if found is None:
                raise UsageError(f"no value for `{key}`", f"`{key} VALUE` sets it, `--unset {key}` removes it")
            value = found
        if not key or not all(key.split(".")):
            raise UsageError(f"`{key}` is no key", "keys are written like `training.lora_r`")
        yield key, value


def _changed(data: bytes, settings: list[tuple[str, str]], gone: Iterable[str], plugins: Plugins) -> bytes:
    from ..document.blocks import find_blocks
    from ..editing import key_location, remove_key, set_value
    from ..editing.words import check_key, read_value

    blocks = find_blocks(plugins)
    for key, words in settings:
        if key in _FIXED:
            raise UsageError(*_FIXED[key])
        loc = key_location(data, key)
        check_key(loc, blocks)
        value = read_value(words, loc, blocks.model)
        data = set_value(data, loc, value.data, spelling=value.spelling)
    for key in gone:
        if key in _FIXED:
            raise UsageError(*_FIXED[key])
        data = remove_key(data, key)
    return data


def _new_errors(before: bytes, after: bytes, path: Path, plugins: Plugins) -> list[Problem]:
    """The errors of the changed document that the old one did not have."""
    known = {(problem.code, problem.message) for problem in _errors(before, path, plugins)}
    return [problem for problem in _errors(after, path, plugins) if (problem.code, problem.message) not in known]


def _errors(data: bytes, path: Path, plugins: Plugins) -> list[Problem]:
    from ..document import parse_document

    try:
        parse_document(data, path, plugins)
    except DocumentError as error:
        return [problem for problem in error.problems if problem.severity == "error"]
    return []


def _print_problems(problems: list[Problem], path: Path, data: bytes) -> None:
    from ..diagnostics import render
    from .terminal import wants_color

    print(render(problems, path, data.decode(), color=wants_color(sys.stderr)), file=sys.stderr)
    print(f"{path} is as it was: the lines above show what it would have become", file=sys.stderr)
