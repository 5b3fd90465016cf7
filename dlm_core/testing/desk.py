"""A desk to try a plugin at: documents are written, `dlm` runs in this process, and what it said is looked at."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..api import Document, Problem, Row
    from ..plugins import Plugins

#: A group that no distribution has entry points in: nothing that happens to be installed is found.
_NO_GROUP = "dlm-told-by-hand"
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did: its exit code, and what it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON object that a report printed."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that `run --json`, `train --json` or `export --json` printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, kind: str) -> dict[str, Any]:
        """The last event of a kind.  Raises AssertionError, with what was said, when there is none."""
        found = [event for event in self.events if event["event"] == kind]
        assert found, f"no event {kind!r}; exit code {self.code}\n{self.err}"
        return found[-1]

    @property
    def answers(self) -> dict[str, str]:
        """Question -> the trained model's answer, from the exam."""
        return {answer["question"]: answer["answer"] for answer in self.event("exam")["exam"]["answers"]}

    @property
    def adapter(self) -> Path:
        """The folder of the trained adapter named `default`."""
        return Path(self.event("commit")["adapter"]) / "default"


@dataclass
class Desk:
    """Use the fixture `dlm_desk`.  `null` says whether the null engine, trainer and base are there."""

    folder: Path
    null: bool = True
    _used: list[tuple[str, object]] = field(default_factory=list)

    def use(self, *modules: ModuleType | object) -> Desk:
        """Tell the desk of plugins: modules, or objects with hook methods.  Raises what is wrong with one."""
        for module in modules:
            name = getattr(module, "__name__", None) or type(module).__name__
            self._used.append((name, module))
            self.plugins()
        return self

    def plugins(self, disabled: Iterable[str] = ()) -> Plugins:
        """Core, the null plugin and every plugin told of, loaded anew."""
        from ..plugins import Plugin, Plugins
        from .null import plugin as null

        disabled = set(disabled)
        plugins = Plugins.load(disabled, group=_NO_GROUP)
        for name, module in [*([("null", null)] if self.null else []), *self._used]:
            if name in disabled:
                plugins.all.append(Plugin(name, name, "0", "disabled", disabled_by=f"`-P no:{name}`"))
            else:
                plugins.register(module, name, dist=name.partition(".")[0].replace("_", "-"))
        return plugins

    def write(self, body: str, front: str = "", name: str = "notes.dlm") -> Path:
        """Write a document.  `front` is YAML; an id, a version and `base_model: null-base` are added where missing.

        Common indentation of both is removed, so that they may be written inside a test.
        """
        front = textwrap.dedent(front).strip("\n")
        given = {"dlm_id": document_id(name), "dlm_version": "15", "base_model": "null-base"}
        lines = [f"{key}: {value}" for key, value in given.items() if not re.search(rf"^{key}:", front, re.MULTILINE)]
        text = "\n".join(["---", *lines, *filter(None, [front]), "---", textwrap.dedent(body).strip("\n"), ""])
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def parse(self, body: str, front: str = "") -> Document:
        """The document.  Raises DocumentError with every problem."""
        from ..document import read_document

        return read_document(self.write(body, front), self.plugins())

    def rows(self, body: str, front: str = "") -> tuple[Row, ...]:
        """The rows of a document, those of its sources too.  Raises DocumentError with every problem."""
        from ..document import build_rows, read_document
        from ..sources.gather import gather

        plugins = self.plugins()
        document = read_document(self.write(body, front), plugins)
        return build_rows(document, gather(document, plugins).sections, plugins)

    def check(self, body: str, front: str = "") -> tuple[Problem, ...]:
        """Every error and warning of a document and its sources, in the order of their positions."""
        from ..api import DocumentError
        from ..document import collect_rows, read_document
        from ..media.checks import media_problems
        from ..sources.gather import gather

        plugins = self.plugins()
        try:
            document = read_document(self.write(body, front), plugins)
            gathered = gather(document, plugins)
        except DocumentError as error:
            return error.problems
        rows, found = collect_rows(document, gathered.sections, plugins)
        found += media_problems(document, rows, None, plugins)
        return tuple(sorted((*document.warnings, *gathered.warnings, *found), key=lambda problem: problem.span))

    def dlm(self, *argv: object, stdin: str = "") -> Result:
        """Run a `dlm` command in this process, in the desk's folder."""
        from ..cli import invoke

        out, err = io.StringIO(), io.StringIO()
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = _exit_code([str(word) for word in argv], invoke, self.plugins)
        finally:
            sys.stdin = before
        return Result(code, out.getvalue(), err.getvalue())

    def run(self, document: Path | str, *options: object, front: str = "") -> Result:
        """`dlm run DOCUMENT --json OPTIONS`; a body is written first."""
        path = document if isinstance(document, Path) else self.write(document, front)
        return self.dlm("run", path, "--json", *options)


def document_id(name: str) -> str:
    """A `dlm_id` that depends on the name alone: 26 letters of Crockford's base 32."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big") >> 3
    return "0" + "".join(_LETTERS[number >> shift & 31] for shift in range(120, -5, -5))


def _exit_code(words: list[str], invoke: Any, load: Any) -> int:
    try:
        code: int = invoke(words, load)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return code
