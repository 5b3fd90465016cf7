"""What the phase refuses before anything is fetched or loaded, at the place where the document says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import BaseModel, Document, Row, Section, Span, UsageError
from dlm_hf import imports
from dlm_hf.trainers import CHECKPOINT_SECONDS, Sft, checkpoint_seconds, settings_problems

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


@pytest.mark.parametrize(
    ("training", "package", "key"),
    [
        ({"adapter": "qlora"}, "bitsandbytes", "adapter"),
        ({"adapters": {"a": {"adapter": "qlora"}}}, "bitsandbytes", "adapters.a.adapter"),
        ({"optimizer": "paged_adamw_8bit"}, "bitsandbytes", "optimizer"),
        ({"optimizer": "galore_adamw"}, "galore-torch", "optimizer"),
        ({"optimizer": "galore_adamw_8bit"}, "galore-torch", "optimizer"),
    ],
)
def test_a_package_that_is_missing_is_named_at_its_key(
    monkeypatch: pytest.MonkeyPatch, training: dict[str, Any], package: str, key: str
) -> None:
    spans = {"training": Span(3), f"training.{key}": Span(4, 3)}
    assert not list(settings_problems(document(training, spans)))
    monkeypatch.setattr(imports, "is_installed", lambda name: name != package)
    (problem,) = settings_problems(document(training, spans))
    assert (problem.span, problem.code) == (Span(4, 3), "DLM0305")
    assert package in problem.message
    assert "pip install 'dlm-hf[" in (problem.hint or "")


@pytest.mark.parametrize("text", ["x", "", "-1", "nan"])
def test_a_checkpoint_interval_that_is_no_number_is_a_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="DLM_CHECKPOINT_SECONDS"):
        checkpoint_seconds({"DLM_CHECKPOINT_SECONDS": text})
    assert checkpoint_seconds({"DLM_CHECKPOINT_SECONDS": "0.5"}) == 0.5
    assert checkpoint_seconds({}) == CHECKPOINT_SECONDS
