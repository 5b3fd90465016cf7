"""`dlm plan`: what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..api import Control
from ..plugins import Plugins
from .common import document_argument, json_option
from .terminal import bytes_text, console, print_json, seconds_text


@click.command()
@document_argument
@click.option("--long-rows", type=click.Choice(["error", "cut", "skip"]), default="error", show_default=True)
@json_option
@click.pass_obj
def plan(plugins: Plugins, document: Path, long_rows: Any, as_json: bool) -> None:
    """Say what `dlm run DOCUMENT` would do: rows, tokens, steps, memory, time.  Loads no model."""
    show_plan(plugins, document, long_rows, as_json)


def show_plan(plugins: Plugins, document: Path, long_rows: Any, as_json: bool) -> None:
    """Print the plan of a document."""
    from .. import pipeline
    from ..manifest import whats_different
    from ..store import open_store

    options = pipeline.Options(fetch=False, ask_licence=False, long_rows=long_rows)
    ready = pipeline.prepare(document, plugins, options, Control())
    current = open_store(ready.doc.id).current()
    changes = whats_different(current.manifest.get("fingerprint", {}), ready.fingerprint) if current else None
    if as_json:
        print_json("plan", {**plan_json(ready), "changed": changes})
        return
    _print_plan(ready, current.number if current else None, changes)


def plan_json(ready: Any) -> dict[str, Any]:
    """The plan as JSON values."""
    from dataclasses import asdict

    found = asdict(ready.plan)
    found["problems"] = [asdict(problem) for problem in ready.plan.problems]
    found["base"] = ready.base.model.key
    found["steps"] = ready.plan.steps
    return found


def _print_plan(ready: Any, version: int | None, changes: list[str] | None) -> None:
    from rich.table import Table

    plan, out = ready.plan, console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("document", f"{ready.doc.path}: {len(ready.doc.sections)} sections, {len(ready.rows)} rows")
    table.add_row(
        "", f"{len(ready.train)} to train, {len(ready.validation)} to validate, {len(ready.exam_only)} only asked"
    )
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
        table.add_row(
            f"phase {phase.phase}",
            f"{phase.rows} rows, {phase.tokens:,} tokens an epoch ({phase.labelled:,} learned), "
            f"longest {phase.longest}; {ready.settings.num_epochs} epochs, {phase.steps} steps of "
            f"{plan.batch.micro}×{plan.batch.accumulate} rows",
        )
    for choice in plan.choices:
        table.add_row(choice.name, f"{choice.value}: {choice.reason}")
    parts = " + ".join(f"{name} {bytes_text(size)}" for name, size in plan.memory.items())
    table.add_row(
        "memory", f"{bytes_text(sum(plan.memory.values()))} of {bytes_text(plan.hardware.free_memory)} free: {parts}"
    )
    table.add_row("time", f"about {seconds_text(plan.seconds)} on {plan.hardware.cores} × {plan.hardware.name}")
    if changes is None:
        table.add_row("changes", "never trained")
    else:
        table.add_row("changes", f"since version {version}: {', '.join(changes) or 'none, a run would not train'}")
    out.print(table)
    for problem in plan.problems:
        out.print(f"{ready.doc.path}:{problem.span.line}: {problem.message}", style="yellow", soft_wrap=True)
