"""What a version is made of: written before training, sealed after it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .api import AdapterSettings, Document, LocatedBase, Plan, Precision, Row, TrainingSettings
from .exam import Comparison, Exam
from .planning.reality import Reality
from .plugins import Plugins


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, 64 hex digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


#: Parts of `training` that show in the rows, or nowhere.
_NOT_IN_THE_BITS = frozenset({"sources", "sources_policy", "cache"})


#: The part of a fingerprint that needs a new exam and no training.
EXAM_QUESTIONS = "exam questions"

#: The part that only a run has that stopped before its epochs were over, as --max-steps asked.
MOST_STEPS = "most steps"


#: Parts that decide the bits of one run and say nothing of the document: a run that goes on must share them.
OF_THE_RUN = frozenset({"rows a step", "start and replay"})


def settings_marks(
    doc: Document,
    base: LocatedBase,
    adapters: Mapping[str, AdapterSettings],
    settings: TrainingSettings,
    precision: Precision,
    phases: Iterable[str],
    long_rows: str,
) -> dict[str, str]:
    """Everything but rows that decides the bits of an adapter, part by part, so that a change can be named."""
    written = {name: value for name, value in doc.config["training"].items() if value is not None}
    training = {name: value for name, value in written.items() if name not in _NOT_IN_THE_BITS}
    shared = asdict(settings)
    del shared["max_steps"]
    return {
        "base model": base.sha256,
        "system prompt": digest(doc.system_prompt),
        "training settings": digest([training, shared]),
        "adapters": digest({name: asdict(value) for name, value in adapters.items()}),
        "precision": digest([precision.dtype, precision.quant]),
        "phases": digest(list(phases)),
        "long rows": long_rows,
    }


def row_marks(train: Sequence[Row], validation: Sequence[Row], exam_only: Sequence[Row]) -> dict[str, str]:
    """The document's rows by side; those that are only asked need no training."""
    sides = {"training rows": train, "validation rows": validation, EXAM_QUESTIONS: exam_only}
    return {name: digest([[row.hash, row.adapters] for row in rows]) for name, rows in sides.items()}


def run_marks(plan: Plan, start: Sequence[str], most: int | None) -> dict[str, str]:
    """What decides the bits of one run beside its document: `start` is where it starts and what it trains again."""
    marks = {"rows a step": str(plan.batch.rows), "start and replay": digest(list(start))}
    return marks if most is None else {**marks, MOST_STEPS: str(most)}


def whats_different(old: Mapping[str, str], new: Mapping[str, str], *, same_run: bool = False) -> list[str]:
    """The names of the parts that differ and ask for training; with `same_run` those that keep a run from going on."""
    names = [*new, *(name for name in (MOST_STEPS,) if name in old and name not in new)]
    skipped = {EXAM_QUESTIONS} if same_run else {EXAM_QUESTIONS, *OF_THE_RUN}
    return [name for name in names if name not in skipped and old.get(name) != new.get(name)]


def settings_changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The names of the parts of `new` that were otherwise."""
    return [name for name in new if old.get(name) != new[name]]


def without_limit(marks: Mapping[str, str]) -> dict[str, str]:
    """The fingerprint of the same run to the end of its epochs."""
    return {name: value for name, value in marks.items() if name != MOST_STEPS}


#: The longest document whose text is kept with its versions, in characters.
LONGEST_TEXT = 4_000_000


def write_manifest(
    doc: Document,
    text: str,
    rows: Sequence[Row],
    base: LocatedBase,
    plan: Plan,
    marks: Mapping[str, str],
    memory: Mapping[str, Any],
    plugins: Plugins,
) -> dict[str, Any]:
    """What is known before training.  `text` is the document's, kept so that a later edit does not hide it."""
    return {
        "manifest": 1,
        "document": {"path": str(doc.path), "sha256": doc.sha256, "dlm_id": doc.id},
        "text": text if len(text) <= LONGEST_TEXT else None,
        "sections": [section.id for section in doc.sections],
        "rows": [row.key for row in rows],
        "base": {
            "key": base.model.key,
            "location": base.model.location if base.model.location.startswith("hub:") else "folder",
            "revision": base.model.revision,
            "sha256": base.sha256,
        },
        "adapters": list(doc.config["training"]["adapters"] or ["default"]),
        "config": dict(doc.config),
        "fingerprint": dict(marks),
        "memory": dict(memory),
        "plan": {
            "batch": asdict(plan.batch),
            "precision": asdict(plan.precision),
            "steps": plan.steps,
            "seconds": plan.seconds,
            "memory": dict(plan.memory),
            "choices": [asdict(choice) for choice in plan.choices],
        },
        "versions": library_versions(plugins),
    }


def seal(metrics: Mapping[str, float], exam: Exam, compared: Comparison | None, reality: Reality) -> dict[str, Any]:
    """What training added."""
    exact, asked = exam.score()
    return {
        "metrics": dict(metrics),
        "exam": exam.to_json(),
        "exact": exact,
        "asked": asked,
        "compared": compared.to_json() if compared else None,
        "reality": reality.to_json(),
    }


def exam_rows(exam: Exam) -> list[dict[str, Any]]:
    """The exam as rows of the runs database: one for each question and one for each section."""
    answers = [
        {
            "row": f"{answer.section_id}:{answer.index}",
            "section": answer.section_id,
            "role": answer.side,
            "question": answer.question,
            "expected": answer.expected,
            "answer": answer.answer,
            "exact": answer.exact,
            "line": answer.line,
        }
        for answer in exam.answers
    ]
    sections = [
        {
            "row": section.section_id,
            "section": section.section_id,
            "role": "section",
            "loss_before": section.before,
            "loss_after": section.after,
            "verdict": section.verdict,
            "line": section.line,
            "tokens": section.tokens,
            "measure": section.measure,
            "margin_before": section.margin_before,
            "margin_after": section.margin_after,
        }
        for section in exam.sections
    ]
    return [*answers, *sections]


def library_versions(plugins: Plugins) -> dict[str, str]:
    """Versions of every active plugin's distribution and of what those distributions require."""
    import re
    from importlib.metadata import PackageNotFoundError, requires, version

    found = plugins.versions()
    for dist in list(found):
        try:
            needs = requires(dist) or []
        except PackageNotFoundError:
            continue
        for need in needs:
            name = re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0]
            try:
                found.setdefault(name, version(name))
            except PackageNotFoundError:
                continue
    return dict(sorted(found.items()))
