"""What the phase refuses before anything is fetched or loaded, at the place where the document says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import BaseModel, Document, Row, Section, Span, UsageError
from dlm_hf.trainers import CHECKPOINT_SECONDS, Sft, checkpoint_seconds

BASE = BaseModel("small", "/small")


def document(training: dict[str, Any], spans: dict[str, Span], sections: tuple[Section, ...] = ()) -> Document:
    return Document(Path("a.dlm"), "0" * 26, "small", None, None, {"training": training}, sections, spans)


def row(*adapters: str) -> Row:
    return Row("text", {"text": "The bay."}, Span(9), adapters=adapters)


def test_an_adapter_without_a_section_is_refused_where_it_is_declared() -> None:
    adapters = {"taught": {}, "idle": {}, "elsewhere": {}}
    spans = {f"training.adapters.{name}": Span(5 + place, 5) for place, name in enumerate(adapters)}
    other = Section("preference", "", Span(20), "0" * 16, adapter="elsewhere")  # another phase may train it
    (problem,) = Sft().problems(document({"adapters": adapters}, spans, (other,)), [row("taught")], BASE)
    assert problem.span == Span(6, 5)
    assert "idle" in problem.message
    assert "::prose#idle::" in (problem.hint or "")
    assert "::instruction#idle::" in (problem.hint or "")


def test_fp16_is_refused_at_its_key() -> None:
    spans = {"training": Span(3), "training.precision": Span(4, 3)}
    (problem,) = Sft().problems(document({"precision": "fp16"}, spans), [row("default")], BASE)
    assert (problem.span, "fp16" in problem.message) == (Span(4, 3), True)
    assert "bf16 or fp32" in (problem.hint or "")
    assert not list(Sft().problems(document({"precision": "bf16"}, spans), [row("default")], BASE))


@pytest.mark.parametrize("text", ["x", "", "-1", "nan"])
def test_a_checkpoint_interval_that_is_no_number_is_a_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="DLM_CHECKPOINT_SECONDS"):
        checkpoint_seconds({"DLM_CHECKPOINT_SECONDS": text})
    assert checkpoint_seconds({"DLM_CHECKPOINT_SECONDS": "0.5"}) == 0.5
    assert checkpoint_seconds({}) == CHECKPOINT_SECONDS
