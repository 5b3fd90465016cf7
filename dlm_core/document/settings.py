"""The settings that a document's frontmatter gives to its adapters and to the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..api import AdapterSettings, Document, TrainingSettings


def adapter_settings(document: Document) -> dict[str, AdapterSettings]:
    """Each adapter's settings by name, in the order of declaration; one `default` when none is declared."""
    training = document.config["training"]
    declared: Mapping[str, Any] = training["adapters"] or {"default": training}
    return {name: AdapterSettings(**_picked(AdapterSettings, config)) for name, config in declared.items()}


def training_settings(document: Document) -> TrainingSettings:
    """The settings that all adapters share."""
    return TrainingSettings(**_picked(TrainingSettings, document.config["training"]))


def _picked(kind: type[AdapterSettings] | type[TrainingSettings], config: Mapping[str, Any]) -> dict[str, Any]:
    # What is not there, the command line or a phase may set.
    return {field.name: config[field.name] for field in fields(kind) if field.name in config}
