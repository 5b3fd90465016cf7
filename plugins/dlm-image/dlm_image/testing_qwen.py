"""A small Qwen2.5-VL base with random weights, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .testing import make_tokenizer, spread

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]


#: What the towers of three generations are called alike in, and where they differ.
_SIGHT: Mapping[str, Mapping[str, Any]] = {
    "Qwen2VL": {"depth": 2, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2},
    "Qwen2_5_VL": {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "fullatt_block_indexes": [1],
        "window_size": 56,
    },
    "Qwen3VL": {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "patch_size": 14,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    },
}


def make_qwen_base(folder: Path, family: str = "Qwen2_5_VL", hidden: int = 64, seed: int = 0) -> Path:
    """Write a whole base of 0.2 million weights: weights, tokenizer, template and image processor.

    `family` is `Qwen2VL`, `Qwen2_5_VL` or `Qwen3VL`.
    """
    from dlm_hf.imports import prepare

    prepare()
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = make_tokenizer(folder, _SPECIAL, TEMPLATE, {"image_token": "<|image_pad|>"})
    text = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]},
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    ids = {f"{name}_token_id": _SPECIAL.index(f"<|{name}|>") for name in ("vision_start", "vision_end")}
    ids |= {f"{name}_token_id": _SPECIAL.index(f"<|{name}_pad|>") for name in ("image", "video")}
    out = "hidden_size" if family == "Qwen2VL" else "out_hidden_size"
    sight = {**_SIGHT[family], out: hidden}
    config = getattr(transformers, f"{family}Config")(
        text_config=text, vision_config=sight, tie_word_embeddings=True, **ids
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
        spread(model)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    pixels = {"min_pixels": 28 * 28, "max_pixels": 28 * 28 * 16}
    transformers.Qwen2VLImageProcessorPil(**pixels).save_pretrained(folder)
    (folder / "processor_config.json").write_text(f'{{"processor_class": "{family}Processor"}}', encoding="utf-8")
    return folder
