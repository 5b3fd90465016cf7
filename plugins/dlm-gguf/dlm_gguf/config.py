"""The frontmatter keys this plugin adds to the block `export`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GgufExport(BaseModel):
    """`export.default_quant`: what `gguf` writes when no `-o quant=` is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_quant: Literal["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"] = Field(
        "Q4_K_M", description="How `gguf` writes the weights unless it is told otherwise."
    )
