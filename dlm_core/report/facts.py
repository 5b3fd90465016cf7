"""Plan beside reality, choices, warnings, settings, machine and versions, as tables."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from ..planning.reality import Compared
from ..units import bytes_text, change_text, seconds_text
from .markup import own_direction, table, text
from .record import RunRecord


def plan_part(record: RunRecord) -> str:
    """Forecast beside reality, memory by part, each choice with its reason."""
    reality = record.reality
    count: Callable[[float], str] = lambda value: f"{value:,.0f}"  # noqa: E731
    rows = [
        _compared("rows", reality.rows, count, "each once for every adapter that it trains"),
        _compared("tokens", reality.tokens, count, "every pass over them"),
        _compared("optimizer steps", reality.steps, count, ""),
        _compared("peak memory", reality.memory, bytes_text, ""),
        _compared("time to train", reality.seconds, seconds_text, str(record.plan.details.get("seconds_reason", ""))),
    ]
    parts = ", ".join(f"{name} {bytes_text(size)}" for name, size in record.plan.memory.items())
    phases = [
        [
            text(phase.phase),
            f"{phase.rows:,}",
            f"{phase.validation:,}",
            f"{phase.tokens:,}",
            f"{phase.labelled:,}",
            f"{phase.longest:,}",
            f"{phase.steps:,}",
        ]
        for phase in record.plan.phases
    ]
    names = ["phase", "rows", "held out", "tokens an epoch", "of them learned", "longest", "steps"]
    choices = [[text(choice.name), text(choice.value), text(choice.reason)] for choice in record.plan.choices]
    return (
        table(["", "planned", "real", "difference", "note"], rows, "numbers")
        + f'<p class="note">Planned memory by part: {text(parts)}.</p>'
        + "<h3>Phases</h3>"
        + table(names, phases, "numbers")
        + "<h3>Choices made for you</h3>"
        + table(["what", "choice", "why"], choices)
    )


def _compared(name: str, item: Compared, show: Callable[[float], str], note: str) -> list[str]:
    if item.real is None:
        return [name, show(item.planned), "not measured", "", text(note)]
    change = change_text(item.planned, item.real) if item.planned else ""
    return [name, show(item.planned), show(item.real), "none" if item.real == item.planned else change, text(note)]


def warnings_part(record: RunRecord) -> str:
    """What was said before and while the run went on."""
    found = [
        f"<li>line {problem.span.line}: {own_direction(problem.message)}"
        + (f' <span class="note">{own_direction(problem.hint)}</span>' if problem.hint else "")
        + "</li>"
        for problem in record.warnings[:500]
    ]
    found += [f"<li>{own_direction(message)}</li>" for message in record.messages[:500]]
    return f"<ul>{''.join(found)}</ul>" if found else "<p>None.</p>"


def settings_part(record: RunRecord) -> str:
    """Base, adapters and training settings."""
    base, shape = record.base.model, record.base.shape
    facts: list[tuple[str, Any]] = [
        ("base", f"{base.key}, {shape.family}, {shape.parameters:,} parameters"),
        ("base files", f"sha256 {record.base.sha256}"),
        ("licence", base.license or "not stated"),
        ("batch", f"{record.plan.batch.micro} × {record.plan.batch.accumulate} rows a step"),
        ("epochs", record.settings.num_epochs),
        ("sequence length", f"{record.settings.sequence_len} tokens"),
        ("optimizer", f"{record.settings.optimizer}, seed {record.settings.seed}"),
    ]
    for name, item in record.adapters.items():
        targets = item.target_modules if item.target_modules == "auto" else ", ".join(item.target_modules)
        facts.append(
            (
                f"adapter {name}",
                f"{item.adapter}, rank {item.lora_r}, alpha {item.lora_alpha}, dropout {item.lora_dropout:g}, "
                f"learning rate {item.learning_rate:g}, targets {targets}",
            )
        )
    return table(["what", "value"], [[text(name), own_direction(value)] for name, value in facts])


def machine_part(record: RunRecord) -> str:
    """Hardware, system, and the versions of every plugin and library."""
    hardware = record.plan.hardware
    facts = [
        ("hardware", f"{hardware.backend}: {hardware.cores} × {hardware.name}"),
        ("memory", f"{bytes_text(hardware.memory)}, {bytes_text(hardware.free_memory)} of it free at the start"),
        ("system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        *record.versions.items(),
    ]
    return table(["what", "value"], [[text(name), text(value)] for name, value in facts])
