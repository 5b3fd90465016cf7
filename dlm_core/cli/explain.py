"""`dlm explain`: what the code of a problem means, why it is one, and how the document looks repaired."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from ..api import Explanation, PluginMissingError, UsageError
from ..plugins import Plugins
from ..spelling import closest
from . import values
from .common import json_option
from .terminal import print_json, wants_color


@click.command()
@click.argument("code", required=False, metavar="[CODE]", shell_complete=values.codes)
@json_option
@click.pass_obj
def explain(plugins: Plugins, code: str | None, as_json: bool) -> None:
    """Say what CODE means, with a document that is wrong and the same repaired.  Without CODE, list every code."""
    known = plugins.explanations
    if code is None:
        return _list(known.values(), as_json)
    name = code.strip().strip("[]").upper()
    if name not in known and (hint := plugins.hint("explanation", name)):
        raise PluginMissingError(f"the page of {name} is not here", hint.text)
    if name not in known:
        meant = closest(name, known)
        advice = f"did you mean {meant}?" if meant else None
        raise UsageError(f"no problem has the code {code}", advice or "`dlm explain` lists them all")
    found = known[name]
    if as_json:
        return print_json("explain", {"code": found.code, "title": found.title, "page": found.page})
    print("\n".join(_drawn(found.page)))
    return None


def _list(known: Iterable[Explanation], as_json: bool) -> None:
    if as_json:
        return print_json("explanations", {"codes": [{"code": one.code, "title": one.title} for one in known]})
    for one in known:
        print(f"{one.code}  {one.title}")
    return None


def _drawn(page: str) -> Iterable[str]:
    """The page as it stands, with code blocks indented and, where colour is wanted, headings in bold."""
    bold, off = ("\x1b[1m", "\x1b[0m") if wants_color(sys.stdout) else ("", "")
    inside = False
    for line in page.rstrip("\n").split("\n"):
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield f"    {line}" if line else ""
        elif line.startswith("#"):
            yield f"{bold}{line.lstrip('# ')}{off}"
        else:
            yield line
