"""The frontmatter block `training.cpt`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CptConfig(BaseModel):
    """`training.cpt`: how prose is learned."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    schedule: Literal["auto", "dapt", "sft"] = Field(
        "auto",
        description="`dapt`: prose in a phase of its own, a longer warm-up, a learning rate that ends at a tenth; "
        "`sft`: as questions and answers are; `auto`: `dapt` when "
        "more than 70 % of the rows are prose or embeddings warm up.",
    )
    embed_warmup_steps: int = Field(
        0, ge=0, description="For so many steps the embeddings of the prose's own tokens learn too."
    )
