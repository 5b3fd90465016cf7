"""A type checker helps an author: wrong classes are told, and the packages that `dlm plugin new` makes are clean."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from dlm_core.cli.plugin import kinds, make_package

from .packages import as_installed, environment

#: Every line that mypy must complain of ends with the code of the complaint.
WRONG = """
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dlm_core import hookimpl
from dlm_core.api import (
    Artifact, BaseModel, ConfigBlock, Document, Exporter, ExportJob, Hardware, Precision, PrecisionPolicy, Row,
    Section, SectionType, SourceReader, Span, Trainer, TrainJob, TrainResult, text_row,
)
from dlm_core.testing import Desk


class TooFewArguments(SectionType):
    name = "a"

    def rows(self, section: Section) -> Iterator[Row]:  # E: override
        yield text_row("a", section.at(0))


class WrongReturn(SectionType):
    name = "b"

    def rows(self, section: Section, doc: Document) -> list[str]:  # E: override
        return [section.content]


class WrongYield(SectionType):
    name = "c"

    def rows(self, section: Section, doc: Document) -> Iterator[Row]:
        yield section.content  # E: misc


class WrongName(SectionType):
    name = 3  # E: assignment

    def rows(self, section: Section, doc: Document) -> Iterator[Row]:
        yield text_row(section.contents, section.at(0))  # E: attr-defined


class MisspeltMethod(SectionType):
    name = "d"

    def row(self, section: Section, doc: Document) -> Iterator[Row]:
        yield text_row("d", Span("1"))  # E: arg-type


class WrongArgument(PrecisionPolicy):
    name = "e"

    def decide(self, hardware: str, base: BaseModel, doc: Document) -> Precision:  # E: override
        return Precision("fp8", "none", hardware)  # E: arg-type


class WrongSet(Trainer):
    phase = "f"
    consumes = {"text"}  # E: assignment

    def wanted(self, doc: Document, rows: Iterable[Row]) -> str:  # E: override
        return "yes"

    def train(self, job: TrainJob) -> TrainResult:
        print(job.epochs)  # E: attr-defined
        return TrainResult("out")  # E: arg-type


class WrongSuffixes(SourceReader):
    name = "g"
    suffixes = frozenset({1})  # E: arg-type

    def read(self, data: str, name: str) -> Iterator[tuple[str, str, dict[str, str]]]:  # E: override
        yield "prose", data, {}


class WrongOptions(Exporter):
    name = "h"
    options = {"quant": "Q8_0"}  # E: dict-item

    def export(self, job: ExportJob) -> Iterable[Artifact]:
        return [Artifact(job.out)]  # E: call-arg


class WrongModel(ConfigBlock):
    path = "training.i"

    def model(self) -> dict[str, Any]:  # E: override
        return {}


@hookimpl
def dlm_section_types() -> list[SectionType]:
    return [MisspeltMethod(), WrongSet()]  # E: abstract list-item


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    return [BaseModel("j", Path("here"), licence="MIT")]  # E: call-arg arg-type


def test_desk(dlm_desk: Desk) -> None:
    dlm_desk.rows(3)  # E: arg-type
    dlm_desk.run("a").exit_code  # E: attr-defined
"""

_FOUND = re.compile(r"^(\S+?):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, set[str]]]:
    """File -> line -> codes of mypy's complaints, from one run over everything here."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("types")
    (folder / "wrong.py").write_text(WRONG, encoding="utf-8")
    (folder / "mypy.ini").write_text("[mypy]\nstrict = True\nplugins = pydantic.mypy\n")
    for kind in kinds():
        make_package(f"my-{kind}", kind, folder / f"dlm-my-{kind}")
        as_installed(folder / f"dlm-my-{kind}", folder / "site")
    tests = [str(path.relative_to(folder)) for path in folder.glob("dlm-*/tests/*.py")]
    packages = [str(path.relative_to(folder)) for path in folder.glob("site/dlm_*/*.py")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--show-error-codes", "--no-pretty", "wrong.py", *tests, *packages],
        cwd=folder,
        env=environment(folder / "site", MYPYPATH=str(folder / "site")),
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, set[str]]] = {}
    for file, line, code in _FOUND.findall(done.stdout):
        found.setdefault(file, {}).setdefault(int(line), set()).add(code)
    return found


def test_every_wrong_line_of_an_author_is_told(complaints: dict[str, dict[int, set[str]]]) -> None:
    lines = WRONG.splitlines()
    wanted = {
        number: set(line.partition("# E: ")[2].split()) for number, line in enumerate(lines, 1) if "# E: " in line
    }
    found = complaints["wrong.py"]
    assert {number: lines[number - 1] for number in wanted.keys() - found.keys()} == {}
    assert {number: found[number] for number, codes in wanted.items() if not codes <= found[number]} == {}
    assert found.keys() == wanted.keys()


def test_the_packages_of_plugin_new_are_strictly_typed(complaints: dict[str, dict[int, set[str]]]) -> None:
    assert complaints.keys() == {"wrong.py"}
