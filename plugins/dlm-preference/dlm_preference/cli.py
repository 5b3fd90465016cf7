"""`dlm preference`: find pairs in what the model answers, put them into the document, take them out, list them."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlm_core.api import Sampling, UsageError
from dlm_core.commands import (
    about,
    adapter_option,
    document_argument,
    json_option,
    print_diff,
    print_json,
    read_bytes,
    version_option,
)

if TYPE_CHECKING:
    from dlm_core.api import Row
    from dlm_core.commands import Plugins

    from .judge import Judge
    from .mined import MinedRun

run_option = click.option(
    "--run", "number", type=click.IntRange(1), metavar="N", help="A mining run (default: the last)."
)
dry_option = click.option("--dry-run", is_flag=True, help="Change nothing; print what would change.")


@click.group()
def preference() -> None:
    """Mine better and worse answers from the trained model, and keep them as sections of the document."""


@preference.command()
@document_argument
@click.option("--samples", type=click.IntRange(2), default=4, show_default=True, help="Answers to each question.")
@click.option(
    "--judge",
    "judge_word",
    default="answer",
    show_default=True,
    metavar="NAME[:ARGUMENT]",
    help="Who says what is better.",
)
@click.option("--threshold", type=click.FloatRange(0), help="Least difference of two scores (default: the judge's).")
@click.option("--max-pairs", type=click.IntRange(1), metavar="N", help="Keep the N clearest pairs.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 2, min_open=True),
    default=0.7,
    show_default=True,
    help="How freely words are drawn.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the likeliest words that are drawn from.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The first answers' seed; the next have the next.")
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Longest answer.")
@version_option
@adapter_option
@click.option("--apply", "apply_now", is_flag=True, help="Put the pairs into the document at once.")
@json_option
@click.pass_obj
def mine(
    plugins: Plugins,
    document: Path,
    samples: int,
    judge_word: str,
    threshold: float | None,
    max_pairs: int | None,
    temperature: float,
    top_p: float,
    seed: int,
    max_tokens: int,
    number: int | None,
    adapter: str | None,
    apply_now: bool,
    as_json: bool,
) -> None:
    """Sample answers to the questions DOCUMENT trains on, have them judged, and keep the best with the worst.

    Questions marked `!exam` and those held out for validation are never asked.
    """
    judge, argument = pick_judge(plugins, judge_word)
    sampling = Sampling(max_tokens, temperature, top_p, seed)
    least = judge.threshold if threshold is None else threshold
    run = _mine(plugins, document, judge, argument, sampling, samples, least, max_pairs, number, adapter)
    if apply_now:
        _apply(document, run, dry_run=False, quiet=as_json, plugins=plugins)
    if as_json:
        print_json("preference-run", run.to_json())
        return
    for pair in run.pairs:
        print(f"line {pair.line}: {_cut(pair.prompt)}")
        print(f"  {pair.score_chosen:8.3f}  {_cut(pair.chosen)}")
        print(f"  {pair.score_rejected:8.3f}  {_cut(pair.rejected)}")
    print(
        f"mining run {run.id}: {run.how['answers']} answers to {run.how['questions']} questions, {len(run.pairs)} pairs"
    )
    if run.pairs and not apply_now:
        print(f"put them into the document: dlm preference apply {shlex.quote(str(document))} --run {run.id}")


@preference.command("apply")
@document_argument
@run_option
@dry_option
@click.pass_obj
def apply_command(plugins: Plugins, document: Path, number: int | None, dry_run: bool) -> None:
    """Write a mining run's pairs into DOCUMENT as `::preference::` sections; nothing else in it changes."""
    from .mined import find

    _apply(document, find(_root(document, plugins), number), dry_run, quiet=False, plugins=plugins)


@preference.command()
@document_argument
@run_option
@click.option("--all", "every", is_flag=True, help="The sections of all runs.")
@click.option("--edited", is_flag=True, help="Also sections that were changed since they were written.")
@dry_option
@click.pass_obj
def revert(plugins: Plugins, document: Path, number: int | None, every: bool, edited: bool, dry_run: bool) -> None:
    """Remove the sections that a mining run wrote into DOCUMENT, and no others."""
    from dlm_core.editing import write_document

    from .applying import revert_run, standing
    from .mined import runs

    if every and number is not None:
        raise UsageError("--run and --all exclude each other", "give one of them")
    known = {run.id: run for run in runs(_root(document, plugins))}
    before = after = read_bytes(document)
    with about(document):
        present = sorted({one.run for one in standing(before)})
        numbers = present if every else [number if number is not None else max(present, default=0)]
        gone = 0
        kept: list[int] = []
        for one in numbers:
            after, count, left = revert_run(after, one, known.get(one), edited_too=edited)
            gone, kept = gone + count, kept + left
    if not dry_run:
        write_document(document, after, before)
    else:
        print_diff(before, after, document)
    print(f"{document}: {gone} section{'s' if gone != 1 else ''} {'would go' if dry_run else 'removed'}")
    if kept:
        lines = ", ".join(map(str, kept))
        print(f"changed since they were written, and kept: line {lines} (`--edited` removes them too)")


@preference.command("list")
@document_argument
@json_option
@click.pass_obj
def list_command(plugins: Plugins, document: Path, as_json: bool) -> None:
    """List the mining runs of DOCUMENT, their pairs, and which of them stand in it."""
    from .listing import listed

    found = listed(read_bytes(document), _root(document, plugins), document)
    if as_json:
        print_json("preference-list", {"document": str(document), "runs": found})
        return
    if not found:
        print(f"nothing was mined yet: dlm preference mine {shlex.quote(str(document))}")
    for run in found:
        print(f"run {run['id']}, {run['at']}, judged by {run['judge']}: {len(run['pairs'])} pairs")
        for pair in run["pairs"]:
            where = f"line {pair['line']}" if pair["line"] else "not in the document"
            print(f"  {pair['state']:<8} {where}: {_cut(pair['prompt'], 60)}")


def pick_judge(plugins: Plugins, word: str) -> tuple[Judge, str]:
    """The judge that a word on the command line names, and its argument.  Raises UsageError for an unknown one."""
    from dlm_core.commands import closest

    from .judge import Judge

    name, _, argument = word.partition(":")
    found = {owned.value.name: owned.value for owned in plugins.collect("dlm_preference_judges", Judge)}  # type: ignore[type-abstract]
    if name not in found:
        close = closest(name, found)
        hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(sorted(found))}"
        raise UsageError(f"no judge {name!r}", hint)
    return found[name], argument


def _mine(
    plugins: Plugins,
    document: Path,
    judge: Judge,
    argument: str,
    sampling: Sampling,
    samples: int,
    threshold: float,
    most: int | None,
    number: int | None,
    adapter: str | None,
) -> MinedRun:
    from dlm_core.serving import locate_version, open_version

    from .applying import standing
    from .mined import keep
    from .mining import judged, pairs, sample

    _, version, base = locate_version(document, plugins, number)
    rows = _rows(document, plugins, version.manifest["adapters"], adapter)
    with open_version(version, base, plugins) as model:
        answers = sample(model, rows, sampling, samples, _say_progress(len(rows) * samples))
    scores = judged(judge, argument, answers)
    found = sorted(pairs(answers, scores, threshold), key=lambda pair: pair.score_rejected - pair.score_chosen)
    kept = sorted(found[:most], key=lambda pair: pair.line)
    taken = max((one.run for one in standing(read_bytes(document))), default=0)
    how: dict[str, Any] = {
        "samples": samples,
        "threshold": threshold,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "max_tokens": sampling.max_tokens,
        "questions": len(rows),
        "answers": len(answers),
        "argument": argument,
    }
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return keep(version.root, taken, now, judge.label(argument), version.number, how, tuple(kept))


def _rows(document: Path, plugins: Plugins, trained: list[str], adapter: str | None) -> list[Row]:
    """The questions to ask.  Raises UsageError when there is none."""
    from dlm_core.commands import check

    from .mining import questions

    if adapter is not None and adapter not in trained:
        raise UsageError(f"no adapter {adapter!r} in that version", f"there are: {', '.join(trained)}")
    rows = [row for row in questions(check(document, plugins).train, adapter) if row.adapters[0] in trained]
    if not rows:
        raise UsageError(f"{document} trains on no question that can be asked", "write an `::instruction::` section")
    return rows


def _apply(document: Path, run: MinedRun, dry_run: bool, quiet: bool, plugins: Plugins) -> None:
    from dlm_core.commands import read_document
    from dlm_core.editing import write_document

    from .applying import apply_run

    doc = read_document(document, plugins)
    before = read_bytes(document)
    with about(document):
        applied = apply_run(before, run, list(doc.config["training"]["adapters"] or ()))
    if not dry_run:
        write_document(document, applied.data, before)
    elif not quiet:
        print_diff(before, applied.data, document)
    if not quiet:
        count = len(applied.added)
        print(f"{document}: {count} section{'s' if count != 1 else ''} {'would be added' if dry_run else 'added'}")
    for pair, reason in applied.left_out:
        print(f"left out: line {pair.line}: {_cut(pair.prompt, 60)}: {reason}", file=sys.stderr)


def _root(document: Path, plugins: Plugins) -> Path:
    from dlm_core.commands import open_store, read_document

    return open_store(read_document(document, plugins).id).root


def _say_progress(total: int) -> Any:
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        print(f"sampled    {done} of {total} answers", file=sys.stderr, flush=True)

    return tell


def _cut(text: str, width: int = 90) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
