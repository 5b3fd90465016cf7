"""`dlm plan`: what a run would do."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..api import Control
from ..diagnostics import one_line
from ..plugins import Plugins
from .common import allow_secret_option, document_argument, json_option, max_steps_option, with_memory_options
from .terminal import bytes_text, console, print_json, seconds_text, wants_color

#: The code of a warning about a file that was skipped.
SKIPPED_FILE = "DLM0504"


@click.command()
@document_argument
@click.option("--long-rows", type=click.Choice(["error", "cut", "skip"]), default="error", show_default=True)
@allow_secret_option
@max_steps_option
@with_memory_options
@json_option
@click.pass_obj
def plan(
    plugins: Plugins,
    document: Path,
    long_rows: Any,
    allow_secret: tuple[Path, ...],
    max_steps: int | None,
    as_json: bool,
    fresh: bool,
    replay_deleted: bool,
) -> None:
    """Say what `dlm run DOCUMENT` would do: rows, tokens, steps, memory, time.  Loads no model."""
    show_plan(
        plugins,
        document,
        as_json,
        long_rows=long_rows,
        allow_secret=allow_secret,
        max_steps=max_steps,
        fresh=fresh,
        replay_deleted=replay_deleted,
    )


def show_plan(
    plugins: Plugins,
    document: Path,
    as_json: bool,
    *,
    long_rows: Any,
    allow_secret: tuple[Path, ...],
    max_steps: int | None,
    force: bool = False,
    fresh: bool = False,
    replay_deleted: bool = False,
) -> None:
    """Print the plan of a document, as a run with the same options would have it."""
    from .. import preparing
    from ..manifest import whats_different
    from ..store import open_store

    options = preparing.Options(
        fetch=False,
        ask_licence=False,
        long_rows=long_rows,
        allow_secret=allow_secret,
        max_steps=max_steps,
        force=force,
        fresh=fresh,
        replay_deleted=replay_deleted,
    )
    ready = preparing.prepare(document, plugins, options, Control())
    current = open_store(ready.doc.id).current()
    changes = whats_different(current.manifest.get("fingerprint", {}), ready.fingerprint) if current else None
    if as_json:
        print_json("plan", {**plan_json(ready), "changed": changes})
        return
    none = "none" if force or fresh else "none, a run would not train"
    since = f"since version {current.number}: {', '.join(changes or [none])}" if current else "never trained"
    _print_plan(ready, since)


def plan_json(ready: Any) -> dict[str, Any]:
    """The plan as JSON values."""
    from dataclasses import asdict

    from ..planning.plan import section_sizes

    found = asdict(ready.plan)
    found["problems"] = [asdict(problem) for problem in ready.plan.problems]
    found["base"] = ready.base.model.key
    found["steps"] = ready.plan.steps
    found["rows"] = {"train": len(ready.train), "validation": len(ready.validation), "only_asked": len(ready.exam_only)}
    found["seconds_reason"] = found["details"].pop("seconds_reason", None)
    found["sections"] = section_sizes(ready.work)
    found["sources"] = asdict(sources_of(ready))
    found["start"] = ready.memory.to_json()
    return found


@dataclass(frozen=True, slots=True)
class Sources:
    """Files of `training.sources`: how many are trained on, and how many were skipped for each reason."""

    taken: int
    skipped: dict[str, int]

    def text(self) -> str:
        why = ", ".join(f"{count} {reason}" for reason, count in self.skipped.items())
        return f"{self.taken:,} files taken, {sum(self.skipped.values()):,} skipped{f': {why}' if why else ''}"


def sources_of(ready: Any) -> Sources:
    """What came of the files that the document's sources name."""
    from collections import Counter

    skipped = Counter(
        problem.message.partition(": ")[2].partition(":")[0]
        for problem in ready.doc.warnings
        if problem.code == SKIPPED_FILE
    )
    return Sources(len({row.source for row in ready.rows if row.source}), dict(skipped.most_common()))


def _time(plan: Any) -> str:
    reason = plan.details.get("seconds_reason")
    tail = f" ({reason})" if reason else ""
    return f"{seconds_text(plan.seconds)} on {plan.hardware.cores} × {plan.hardware.name}{tail}"


def _print_plan(ready: Any, changes: str) -> None:
    from rich.table import Table

    plan, out = ready.plan, console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("document", f"{ready.doc.path}: {len(ready.doc.sections)} sections, {len(ready.rows)} rows")
    table.add_row(
        "", f"{len(ready.train)} to train, {len(ready.validation)} to validate, {len(ready.exam_only)} only asked"
    )
    sources = sources_of(ready)
    if sources.taken or sources.skipped:
        table.add_row("sources", sources.text())
    shape = ready.base.shape
    table.add_row(
        "base", f"{ready.base.model.key}: {shape.family}, {shape.parameters:,} parameters, {ready.base.folder}"
    )
    for name, item in ready.adapters.items():
        targets = item.target_modules if item.target_modules == "auto" else ", ".join(item.target_modules)
        table.add_row(
            "adapter",
            f"{name}: {item.adapter} rank {item.lora_r}, alpha {item.lora_alpha}, dropout {item.lora_dropout:g}, "
            f"learning rate {item.learning_rate:g}, targets {targets}",
        )
    for phase in plan.phases:
        if not phase.epochs:
            table.add_row(f"phase {phase.phase}", f"{phase.rows} rows, {phase.steps} steps")
            continue
        table.add_row(
            f"phase {phase.phase}",
            f"{phase.rows} rows, {phase.tokens:,} tokens an epoch ({phase.labelled:,} learned), "
            f"longest {phase.longest}; {phase.epochs} epochs, {phase.steps} steps of "
            f"{plan.batch.micro}×{plan.batch.accumulate} rows",
        )
    for choice in plan.choices:
        table.add_row(choice.name, f"{choice.value}: {choice.reason}")
    parts = " + ".join(f"{name} {bytes_text(size)}" for name, size in plan.memory.items())
    table.add_row(
        "memory", f"{bytes_text(sum(plan.memory.values()))} of {bytes_text(plan.hardware.free_memory)} free: {parts}"
    )
    table.add_row("time", f"about {_time(plan)}")
    table.add_row("changes", changes)
    out.print(table)
    for problem in plan.problems:
        print(one_line(problem, ready.doc.path, color=wants_color(sys.stdout)))
