"""The frontmatter block `training.preference`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Hyperparams(BaseModel):
    """`training.preference.hyperparams`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    beta: float = Field(
        0.1, ge=0, le=1, description="DPO: how firmly the model is held to the reference; small values let it go far."
    )
    alpha: float = Field(
        0.1, ge=0, le=1, description="ORPO: weight of the preference beside learning the chosen answer."
    )
    learning_rate: float = Field(5e-6, gt=0, description="The highest learning rate of this phase.")
    num_epochs: int = Field(1, ge=1, description="How often every pair is trained.")


class PreferenceConfig(BaseModel):
    """`training.preference`: how better and worse answers are trained."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    enabled: bool = Field(
        False,
        description="Whether preferences are trained; without the key, whenever there are such sections.",
    )
    method: Literal["dpo", "orpo"] = Field(
        "dpo", description="Direct preference optimization, or odds ratio preference optimization (no reference)."
    )
    hyperparams: Hyperparams = Field(default_factory=Hyperparams, description="Numbers of the method.")
    loss_type: Literal["sigmoid", "hinge", "ipo"] = Field("sigmoid", description="DPO: the loss of a pair's margin.")
    reference: Literal["base", "pre_adapter"] = Field(
        "pre_adapter",
        description="DPO: what the model is held against: the base alone, or the adapter as it was before this phase.",
    )
