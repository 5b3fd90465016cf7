"""Entry point of the plugin: base models that documents can name."""

from __future__ import annotations

from dlm_core import hookimpl
from dlm_core.api import BaseModel


@hookimpl
def dlm_base_models() -> list[BaseModel]:
    """One line a model; `revision` is a commit or a tag, so that a document trains on the same weights tomorrow."""
    return [
        BaseModel(
            key="newplugin-135m",
            location="hub:newplugin/newplugin-135m",
            revision="v1",
            parameters=134_515_008,
            context=8192,
            size=269_060_552,
            family="llama",
            license="Apache-2.0",
            summary="A small model of ours.",
            recommended={"training.lora_r": 16, "training.learning_rate": 2e-4},
        ),
    ]
