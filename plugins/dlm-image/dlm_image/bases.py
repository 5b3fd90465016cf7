"""Open bases that see, by key.  Each revision is the commit that the entry was written against, or empty: `main`."""

from __future__ import annotations

from dlm_core.api import BaseModel


def _base(
    key: str, repo: str, revision: str, parameters: int, context: int, size: int, longest: int, family: str = "idefics3"
) -> BaseModel:
    """`size` is in bytes, `longest` in pixels."""
    tiles = "tile by tile" if family == "idefics3" else "in its own shape"
    return BaseModel(
        key=key,
        location=f"hub:{repo}",
        revision=revision,
        parameters=parameters,
        context=context,
        size=size,
        family=family,
        license="Apache-2.0",
        summary=f"Sees a picture {tiles}, up to {longest} pixels a side.",
        accepts={"image": {"longest": longest}},
    )


# fmt: off
SEEING = (
    _base("smolvlm-256m", "HuggingFaceTB/SmolVLM-256M-Instruct", "", 256_484_928, 8192, 513_000_000, 2048),
    _base("smolvlm-500m", "HuggingFaceTB/SmolVLM-500M-Instruct", "c4ecf4fd225aee420531f1300962e44fae1974cf",
          507_482_304, 8192, 1_015_000_000, 2048),
    _base("qwen3-vl-2b", "Qwen/Qwen3-VL-2B-Instruct", "", 2_127_532_032, 262_144, 4_260_000_000, 1024, "qwen3_vl"),
    _base("smolvlm-2.2b", "HuggingFaceTB/SmolVLM-Instruct", "7e0fdcf67f9a9962ee621f57bf5d94a9dfbbf163",
          2_246_272_880, 16_384, 4_490_000_000, 1536),
    _base("idefics3-8b", "HuggingFaceM4/Idefics3-8B-Llama3", "", 8_462_000_000, 10_240, 16_930_000_000, 1456),
)
# fmt: on
