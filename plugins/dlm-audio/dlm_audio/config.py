"""`training.audio`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AudioConfig(BaseModel):
    """`training.audio`: how recordings are heard."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    auto_resample: bool = Field(
        False, description="Bring recordings of another rate to the one the base hears; without it they are errors."
    )
