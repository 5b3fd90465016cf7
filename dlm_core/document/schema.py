"""The frontmatter keys that core owns.  Plugins mount theirs with a `ConfigBlock`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

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


DlmId = Annotated[
    str,
    AfterValidator(_check_id),
    WithJsonSchema({"type": "string", "pattern": f"^{_ID_LETTER.pattern}{{26}}$"}),
]
BaseName = Annotated[
    str,
    AfterValidator(_check_base),
    WithJsonSchema({"type": "string", "pattern": f"^({_HUB.pattern}|{_FOLDER.pattern}.*|(?!hf:){_KEY.pattern})$"}),
]
AdapterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Method = Literal["lora", "qlora", "dora"]
TargetModules = Literal["auto"] | Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
AutoCount = Literal["auto"] | Annotated[int, Field(ge=1)]


class AdapterConfig(Block):
    """The settings of one named adapter."""

    adapter: Method = Field("lora", description="How weights are adapted: LoRA, LoRA on a quantized base, or DoRA.")
    lora_r: int = Field(8, ge=1, le=256, description="Rank of the adapter's matrices: how much it can hold.")
    lora_alpha: int = Field(
        16, ge=1, description="Scale of the adapter: its output is multiplied by lora_alpha / lora_r."
    )
    lora_dropout: float = Field(
        0.05, ge=0, le=0.5, description="Share of the adapter's inputs that is dropped at random while training."
    )
    target_modules: TargetModules = Field(
        "auto", description="Which linear layers get an adapter: `auto` for all of them, or their names."
    )
    learning_rate: float = Field(2e-4, gt=0, description="The highest learning rate, reached after the warm-up.")


AdapterTable = Annotated[
    Mapping[AdapterName, AdapterConfig], AfterValidator(_freeze), PlainSerializer(_thaw, return_type=dict[str, Any])
]


class SourceConfig(Block):
    """A file or folder whose text is learned."""

    path: str = Field(min_length=1, description="File or folder; a relative one starts at the document's folder.")
    include: tuple[str, ...] = Field(("**/*",), description="Globs of the files that are read, relative to the source.")
    exclude: tuple[str, ...] = Field(
        (), description="Globs of files and folders that are left out; they go before `include`."
    )
    max_bytes_per_file: int | None = Field(None, ge=1, description="Larger files are skipped.")
    max_files: int | None = Field(None, ge=1, description="No more files than this are read.")


class CacheConfig(Block):
    """The cache of tokenized rows."""

    enabled: bool = Field(True, description="Whether tokenized rows are kept for the next run.")
    max_bytes: int = Field(10 * 2**30, ge=1, description="The cache's largest size in bytes.")
    prune_older_than_days: int = Field(90, ge=1, description="Entries unused for longer are removed.")


class TrainingConfig(AdapterConfig):
    """How to train.  The settings it shares with `AdapterConfig` are those of the one unnamed adapter."""

    sequence_len: int = Field(
        2048,
        ge=64,
        le=32768,
        description="Tokens of the longest row: longer texts are split, longer conversations refused.",
    )
    micro_batch_size: AutoCount = Field(
        "auto", description="Rows in one forward pass; `auto` takes what fits in memory."
    )
    grad_accum: AutoCount = Field(
        "auto", description="Forward passes in one optimizer step; `auto` aims at about eight rows a step."
    )
    num_epochs: int = Field(3, ge=1, description="How often every row is trained.")
    optimizer: Literal["adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit", "galore_adamw", "galore_adamw_8bit"] = (
        Field("adamw_torch", description="The optimizer.")
    )
    lr_scheduler: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after the warm-up."
    )
    warmup_ratio: float = Field(
        0.1, ge=0, le=0.5, description="Share of the steps in which the learning rate rises from nothing."
    )
    precision: Literal["bf16", "fp16", "fp32"] | None = Field(
        None, description="Number format of the weights; without it this machine decides."
    )
    #: The range of `torch.manual_seed`.
    seed: int = Field(
        42,
        ge=-(2**63),
        le=2**64 - 1,
        description="Decides everything that is drawn at random: the same seed trains the same bits.",
    )
    adapters: AdapterTable | None = Field(
        None, description="Several adapters by name, each with its own settings; without it there is one."
    )
    sources: tuple[SourceConfig, ...] | None = Field(
        None, description="Files and folders whose text is learned with the document's."
    )
    sources_policy: Literal["permissive", "strict"] = Field(
        "permissive", description="Whether sources may lie outside the document's folder."
    )
    cache: CacheConfig = Field(default_factory=CacheConfig, description="The cache of tokenized rows.")


class ExportConfig(Block):
    """What exports of this document do by default."""

    default_temperature: float | None = Field(
        None, gt=0, le=2, description="Temperature of answers; without it the most likely token is taken."
    )
    default_top_p: float | None = Field(
        None, gt=0, le=1, description="Share of the probability that the next token is drawn from."
    )


class Frontmatter(Block):
    """The whole frontmatter."""

    dlm_id: DlmId = Field(description="The document's own id, made once by `dlm init`; its versions are kept under it.")
    dlm_version: int = Field(VERSION, ge=1, le=VERSION, description="Version of the document format.")
    base_model: BaseName = Field(
        description="The model that learns the document: a key, `hf:org/name[@revision]`, or a folder."
    )
    system_prompt: str | None = Field(
        None, description="Opens every conversation, in training, in prompts and in exports."
    )
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How to train.")
    export: ExportConfig = Field(
        default_factory=ExportConfig, description="What exports of this document do by default."
    )
