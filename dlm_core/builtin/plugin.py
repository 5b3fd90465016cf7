"""Core's own plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import hookimpl
from ..api import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..api import Explanation, Exporter, PrecisionPolicy, Runner, SectionType, SourceReader


@hookimpl
def dlm_section_types() -> Iterable[SectionType]:
    from .sections import Instruction, Prose

    return [Prose(), Instruction()]


@hookimpl
def dlm_source_readers() -> Iterable[SourceReader]:
    from ..sources.text import TextReader

    return [TextReader()]


@hookimpl
def dlm_precision_policies() -> Iterable[PrecisionPolicy]:
    from ..planning.precision import ApplePrecision, GpuPrecision, ProcessorPrecision

    return [GpuPrecision(), ApplePrecision(), ProcessorPrecision()]


@hookimpl
def dlm_runners() -> Iterable[Runner]:
    from .here import Here

    return [Here()]


@hookimpl
def dlm_exporters() -> Iterable[Exporter]:
    from .adapter_folder import AdapterFolder

    return [AdapterFolder()]


@hookimpl
def dlm_explanations() -> Iterable[Explanation]:
    from pathlib import Path

    from ..api import read_explanations

    return read_explanations(Path(__file__).parent.parent / "explanations")


@hookimpl
def dlm_commands() -> Iterable[Command]:
    helps = {
        "run": "check, train if anything changed, examine, export",
        "init": "make a new document from a template",
        "check": "report every problem of a document, and repair the plain ones",
        "explain": "say what the code of a problem means",
        "tokens": "show what of a document trains, token by token",
        "plan": "say what a run would do, without doing it",
        "train": "train and examine, without exporting",
        "exam": "ask the document's own questions again",
        "export": "write a trained version as GGUF and other formats",
        "prompt": "ask the trained model one question",
        "chat": "talk with the trained model",
        "show": "sections, versions and runs of a document",
        "trust": "let a document read outside its own folder",
        "rollback": "make an earlier version the current one",
        "cache": "look at the tokenized rows that are kept, and make room",
        "bases": "list the base models a document can name",
        "plugins": "list plugins and what they provide",
        "plugin": "start a plugin of your own",
        "fmt": "write documents in their canonical form",
        "migrate": "rewrite documents of older versions of the format",
        "schema": "print the JSON Schema of the frontmatter, or of a report",
        "completion": "teach your shell to complete dlm's words",
        "doctor": "look over this machine and installation",
    }
    ours = [Command(name, text, f"dlm_core.cli.{name}:{name}") for name, text in helps.items()]
    return [*ours, Command("set", "change a key of a document's frontmatter", "dlm_core.cli.set_key:set_key")]
