"""`dlm train`: a run without exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..plugins import Plugins
from .common import document_argument, json_option, training_options
from .run import train_and_report


@click.command()
@document_argument
@training_options
@json_option
@click.pass_obj
def train(plugins: Plugins, /, document: Path, as_json: bool, **options: Any) -> None:
    """Train DOCUMENT if anything changed, ask its questions and keep the version."""
    train_and_report(plugins, document, None, (), as_json, **options)
