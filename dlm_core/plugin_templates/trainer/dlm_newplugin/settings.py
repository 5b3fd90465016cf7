"""The keys of the block `training: newplugin:`.  pydantic costs start-up time, so only `config.py` imports this."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    shortest: int = Field(1, ge=1, description="words with fewer letters are not counted")
