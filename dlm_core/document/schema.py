"""The frontmatter keys that core owns.  Plugins mount theirs with a `ConfigBlock`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

VERSION = 15

_ID_LETTER = re.compile(r"[0-9A-HJKMNP-TV-Z]")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_HUB = re.compile(r"hf:[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9][A-Za-z0-9._/-]*)?")
_FOLDER = re.compile(r"(\.{1,2}|~)?/")


class Block(BaseModel):
    """Base of every block: unknown keys are errors, values do not change and are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _check_id(value: str) -> str:
    wrong = next((letter for letter in value if not _ID_LETTER.fullmatch(letter)), None)
    if wrong is not None:
        raise ValueError(f"`{wrong}` is not one of its letters (0-9 and A-Z without I, L, O and U)")
    if len(value) != 26:
        raise ValueError(f"it has {len(value)} characters, not 26")
    return value


def _check_base(value: str) -> str:
    if value.startswith("hf:"):
        if not _HUB.fullmatch(value):
            raise ValueError("a base on the hub is written `hf:org/name` or `hf:org/name@revision`")
    elif not _FOLDER.match(value) and not _KEY.fullmatch(value):
        raise ValueError("allowed: a base's key, `hf:org/name`, or a folder that starts with `./`, `/` or `~/`")
    return value


def _freeze(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _thaw(value: Mapping[str, BaseModel] | None) -> dict[str, Any] | None:
    return None if value is None else {name: inner.model_dump(mode="json") for name, inner in value.items()}


DlmId = Annotated[str, AfterValidator(_check_id)]
BaseName = Annotated[str, AfterValidator(_check_base)]
AdapterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Method = Literal["lora", "qlora", "dora"]
TargetModules = Literal["auto"] | Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
AutoCount = Literal["auto"] | Annotated[int, Field(ge=1)]


class AdapterConfig(Block):
    """The settings of one named adapter."""

    adapter: Method = "lora"
    lora_r: int = Field(8, ge=1, le=256)
    lora_alpha: int = Field(16, ge=1)
    lora_dropout: float = Field(0.05, ge=0, le=0.5)
    target_modules: TargetModules = "auto"
    learning_rate: float = Field(2e-4, gt=0)


AdapterTable = Annotated[
    Mapping[AdapterName, AdapterConfig], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict[str, Any])
]


class SourceConfig(Block):
    """A file or folder whose text is learned."""

    path: str = Field(min_length=1)
    include: tuple[str, ...] = ("**/*",)
    exclude: tuple[str, ...] = ()
    max_bytes_per_file: int | None = Field(None, ge=1)
    max_files: int | None = Field(None, ge=1)


class CacheConfig(Block):
    """The cache of tokenized rows."""

    enabled: bool = True
    max_bytes: int = Field(10 * 2**30, ge=1)
    prune_older_than_days: int = Field(90, ge=1)


class TrainingConfig(AdapterConfig):
    """How to train.  The settings it shares with `AdapterConfig` are those of the one unnamed adapter."""

    sequence_len: int = Field(2048, ge=64, le=32768)
    micro_batch_size: AutoCount = "auto"
    grad_accum: AutoCount = "auto"
    num_epochs: int = Field(3, ge=1)
    optimizer: Literal["adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit", "galore_adamw", "galore_adamw_8bit"] = (
        "adamw_torch"
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_ratio: float = Field(0.1, ge=0, le=0.5)
    precision: Literal["bf16", "fp16", "fp32"] | None = None
    #: The range of `torch.manual_seed`.
    seed: int = Field(42, ge=-(2**63), le=2**64 - 1)
    adapters: AdapterTable | None = None
    sources: tuple[SourceConfig, ...] | None = None
    sources_policy: Literal["permissive", "strict"] = "permissive"
    cache: CacheConfig = Field(default_factory=CacheConfig)


class ExportConfig(Block):
    """What exports of this document do by default."""

    default_temperature: float | None = Field(None, gt=0, le=2)
    default_top_p: float | None = Field(None, gt=0, le=1)


class Frontmatter(Block):
    """The whole frontmatter."""

    dlm_id: DlmId
    dlm_version: int = Field(VERSION, ge=1, le=VERSION)
    base_model: BaseName
    system_prompt: str | None = None
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
