"""The summary that ends a run: what was learned, where it lies, what to type next."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from ..api import Message
from ..units import change_text
from .terminal import bytes_text, console, seconds_text

if TYPE_CHECKING:
    from pathlib import Path

    from ..exam import Answer, Comparison, Exam
    from ..exam.result import Side, Verdict
    from ..exporting import Exported
    from ..pipeline import Outcome
    from ..planning.reality import Compared, Reality
    from ..routing import Routing
    from .reporter import Reporter

SIDES: dict[Side, str] = {
    "trained": "trained questions answered exactly",
    "exam": "!exam questions, never trained",
    "validation": "held out for validation, not trained",
}
ROUTED: dict[Side, str] = {
    "trained": "trained rows to their own adapter",
    "exam": "!exam rows to their own adapter",
    "validation": "held-out rows to their own adapter",
}
MARKS: dict[Verdict, str] = {
    "well": "[green]well[/]",
    "partly": "[yellow]partly[/]",
    "not": "[red]not[/]",
    "worse": "[red]worse[/]",
}


def print_summary(
    outcome: Outcome,
    exported: Sequence[Exported],
    there: Sequence[Path],
    seconds: float,
    cache: str = "",
    is_watching: bool = False,
) -> None:
    """On stdout, in a dozen lines; `there` are folders of exports that needed no renewal.

    Whoever `is_watching` need not be told to run again.
    """
    out = console()
    path = outcome.ready.doc.path
    name = shlex.quote(str(path))
    if outcome.exam:
        print_exam(outcome.exam, compared=outcome.compared)
    if outcome.reality and outcome.reality.steps.real:
        print_reality(outcome.reality)
    took = f" in {seconds_text(seconds)}" if outcome.trained else ", already trained"
    out.print(f"\n[bold]version {outcome.version.number}[/] of {escape(path.name)}{took}")
    out.print(f"  adapter  {outcome.version.adapter}", soft_wrap=True, markup=False)
    for item in exported:
        for file, about in export_lines(item):
            out.print(f"  {item.exporter:<8} {file}", soft_wrap=True, markup=False)
            out.print(f"           {about}", style="dim", soft_wrap=True, markup=False)
        if item.standing:
            out.print(f"           {item.standing.router} {item.standing.text}", soft_wrap=True, markup=False)
    for folder in there:
        out.print(f"  {folder.name:<8} {folder}", soft_wrap=True, markup=False)
    names = outcome.version.manifest["adapters"]
    routed = any(item.standing for item in exported) or (outcome.exam and outcome.exam.routing)
    if (exported or there) and len(names) > 1 and not routed:
        first, other, *_ = names
        told = f"adapter {first} is exported; another: dlm export {name} --adapter {other} --to FOLDER"
        out.print(f"           {told}", soft_wrap=True, markup=False)
    if outcome.report:
        out.print(f"  report   {outcome.report}", soft_wrap=True, markup=False)
    if cache:
        out.print(f"  cache    {cache}", soft_wrap=True, markup=False)
    question = next((row for row in outcome.ready.train if row.question), None)
    out.print("\nwhat next", style="bold")
    asked = question.question[-1] if question and question.question else Message.of("user", "Hello")
    out.print(f"  dlm prompt {name} {_as_words(asked)}", soft_wrap=True, markup=False)
    if not is_watching:
        out.print(f"  edit {path.name} and `dlm run {name}` again", soft_wrap=True, markup=False)


def _as_words(asked: Message) -> str:
    """A question as it is put on the command line, its files by their paths from here."""
    shown = [f"--attach {shlex.quote(f'{part.kind}:{os.path.relpath(part.path)}')}" for part in asked.media]
    return " ".join((*shown, shlex.quote(asked.text.split("\n")[0])))


def cache_line(reporter: Reporter) -> str:
    """How many rows were tokenized and how many came from the cache; each is asked for in every stage of a run."""
    if not (reporter.tokenized or reporter.from_cache):
        return ""
    rows = "row" if reporter.tokenized == 1 else "rows"
    return f"{reporter.tokenized:,} {rows} tokenized, {reporter.from_cache:,} times a row came from the cache"


def print_reality(reality: Reality) -> None:
    """What was planned beside what was done."""
    out = console()
    out.print("\nplan and reality", style="bold")
    for name, line in reality_lines(reality):
        out.print(f"  {name:<8} {line}", soft_wrap=True, markup=False)


def reality_lines(reality: Reality) -> list[tuple[str, str]]:
    """Rows, steps, memory and time, each as a name and `planned, real`."""
    memory, seconds = reality.memory, reality.seconds
    return [
        ("rows", f"{_counts(reality.rows, 'trained')}; tokens {_counts(reality.tokens, 'trained')}"),
        ("steps", _counts(reality.steps, "done")),
        ("memory", f"{bytes_text(memory.planned)} planned, {_known(memory.real, bytes_text)} peak"),
        ("time", f"{seconds_text(seconds.planned)} planned, {_known(seconds.real, seconds_text)} taken"),
    ]


def _counts(item: Compared, verb: str) -> str:
    return f"{item.planned:,.0f} planned, {_known(item.real, '{:,.0f}'.format)} {verb}"


def _known(value: float | None, show: Callable[[float], str]) -> str:
    return "unknown" if value is None else show(value)


def print_exam(exam: Exam, every: bool = False, compared: Comparison | None = None) -> None:
    """Scores, sections by verdict, and what was not learned; `every` lists all sections.

    `compared` sets what was old apart from what is new.
    """
    out = console()
    out.print("\nexam", style="bold")
    for side, text in SIDES.items():
        exact, asked = exam.score(side)
        if asked:
            out.print(f"  {text:<37}{_share(exact, asked)}")
    verdicts = Counter(section.verdict for section in exam.sections if section.trained)
    counts = ", ".join(f"{verdicts[verdict]} {mark}" for verdict, mark in MARKS.items() if verdicts[verdict])
    out.print(f"  sections learned                     {counts}")
    change = change_text(exam.neutral_before, exam.neutral_after)
    out.print(f"  loss on text that is not in it       {exam.neutral_before:.2f} → {exam.neutral_after:.2f} ({change})")
    for check in exam.blanks:
        out.print(f"  {f'answered with no {check.kind} shown':<37}{check.exact} of {check.asked}")
        if check.blind:
            said = f"with or without the {check.kind} the answers are the same: the model does not look at it"
            out.print(f"  [red]✗[/] {said}", soft_wrap=True)
    if exam.routing:
        _print_routing(exam.routing)
    if compared:
        _print_compared(compared)
    _print_sections(exam, every)
    print_missed([answer for answer in exam.answers if not answer.exact and answer.side == "trained"][:5])


def _print_routing(routing: Routing) -> None:
    """How often the router gave most weight to the adapter that a row belongs to."""
    out = console()
    shares = " · ".join(f"{name} {share:.2f}" for name, share in routing.shares.items())
    out.print(f"  {routing.router}: {routing.reason}", soft_wrap=True, markup=False)
    for side in SIDES:
        if asked := routing.asked.get(side):
            out.print(f"    {ROUTED[side]:<35}{_share(routing.right[side], asked)}")
    out.print(f"    {'mean weights':<35}{shares}", soft_wrap=True, markup=False)


def _print_compared(compared: Comparison) -> None:
    """What became of the version before, and how what is new was learned."""
    out = console()
    out.print(f"  beside version {compared.version}")
    if compared.had:
        out.print(f"    old answers kept                   {_share(compared.kept, compared.had)}")
    if compared.new:
        out.print(f"    new and changed answers learned    {_share(compared.learned, compared.new)}")
    for name, change in (
        ("loss of old sections", compared.old_loss),
        ("loss of new sections", compared.new_loss),
        ("loss on other text", compared.neutral),
    ):
        if change.before is not None and change.after is not None:
            out.print(f"    {name:<35}{change.before:.2f} → {change.after:.2f}")
    for answer in compared.lost[:5]:
        out.print(f"    [red]lost[/] line {answer.line}: {escape(_cut(answer.question))}", soft_wrap=True)


def print_missed(answers: Sequence[Answer]) -> None:
    """Questions that were not answered exactly, with what was expected and what came."""
    out = console()
    for answer in answers:
        out.print(f"  [red]✗[/] line {answer.line}: {escape(_cut(answer.question))}", soft_wrap=True)
        out.print(f"      expected {_cut(answer.expected)}", soft_wrap=True, markup=False)
        out.print(f"      answered {_cut(answer.answer)}", soft_wrap=True, markup=False)


def _print_sections(exam: Exam, every: bool) -> None:
    from rich.table import Table

    shown = [section for section in exam.sections if every or (section.trained and section.verdict != "well")]
    if not shown:
        return
    named = len({section.adapter for section in exam.sections}) > 1
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column, justify in (
        ("  line", "right"),
        ("section", "left"),
        *([("adapter", "left")] if named else []),
        ("tokens", "right"),
        ("before", "right"),
        ("after", "right"),
        ("learned", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for section in shown if every else shown[:10]:
        table.add_row(
            str(section.line),
            escape(f"::{section.type}:: {_cut(section.title, 40)}"),
            *([section.adapter] if named else []),
            str(section.tokens),
            *section.texts,
            MARKS[section.verdict] if section.trained else "[dim]held out[/]",
        )
    console().print(table)


def _share(exact: int, asked: int) -> str:
    style = "green" if exact == asked else "yellow"
    return f"[{style}]{exact} of {asked}[/]"


def _cut(text: str, width: int = 90) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def export_lines(item: Exported) -> list[tuple[Path, str]]:
    """Each artifact that has something to say for itself, or else the folder; with size and summary."""
    speaking = [artifact for artifact in item.artifacts if "summary" in artifact.details]
    if not speaking:
        return [(item.folder, f"{len(item.artifacts)} files")]
    sizes = [bytes_text(artifact.path.stat().st_size) for artifact in speaking]
    return [
        (artifact.path, f"{size}, {artifact.details['summary']}")
        for artifact, size in zip(speaking, sizes, strict=True)
    ]
