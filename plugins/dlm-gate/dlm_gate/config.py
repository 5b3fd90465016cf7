"""The frontmatter block `training.gate`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GateConfig(BaseModel):
    """`training.gate`: which adapter answers is learned, and decided for each prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    enabled: bool = Field(False, description="Whether a gate is trained; it needs two or more `training.adapters`.")
    hidden_proj_dim: int = Field(64, ge=8, le=2048, description="Width of the gate's hidden layer.")
    steps: int = Field(200, ge=1, le=10_000, description="Optimizer steps of the gate.")
    lr: float = Field(3e-4, gt=0, le=1, description="The gate's learning rate.")
    cold_start_floor: int = Field(
        4,
        ge=1,
        le=1024,
        description="When an adapter has fewer prompts of its own, nothing is learned and all weigh the same.",
    )
    entropy_lambda: float = Field(
        0.01, ge=0, le=1, description="How strongly mixtures are preferred to single adapters."
    )
