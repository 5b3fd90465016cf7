"""A small base that sees, with random weights, and pictures to show it: for tests of anything that handles pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_hf.testing import TEXT

if TYPE_CHECKING:
    from PIL.Image import Image

#: The template of the family's own bases; contents are lists of parts.
TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
_SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<image>",
    "<global-img>",
]
_TILES = 3

#: Settings of the small base: tiles of 64 × 64 pixels, four vectors each, at most 2 × 2 of them.
TILE, LONGEST, TOKENS = 64, 128, 4


def make_seeing_base(folder: Path, hidden: int = 64, layers: int = 2, context: int = 512, seed: int = 0) -> Path:
    """Write a whole Idefics3 base of 0.2 million weights: weights, tokenizer, template and image processor.

    Weights are drawn with the standard deviation fan_in^-0.5: with the usual 0.02 a model as narrow as this one learns
    ten times slower, if at all.
    """
    from dlm_hf.imports import prepare

    prepare()
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessorPil
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    tiles = [f"<row_{row}_col_{col}>" for row in range(1, _TILES) for col in range(1, _TILES)]
    named = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": _SPECIAL[2],
    }
    vocabulary = make_tokenizer(folder, [*_SPECIAL, *tiles], TEMPLATE, named)
    text = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "max_position_embeddings": context,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    sight = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,  # llama.cpp's table of tensors is bounded by this number
        "num_attention_heads": 2,
        "image_size": TILE,
        "patch_size": 16,
    }
    config = Idefics3Config(
        text_config=text,
        vision_config=sight,
        image_token_id=_SPECIAL.index("<image>"),
        scale_factor=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Idefics3ForConditionalGeneration(config)
        spread(model)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    Idefics3ImageProcessorPil(
        size={"longest_edge": LONGEST}, max_image_size={"longest_edge": TILE}, do_image_splitting=True
    ).save_pretrained(folder)
    settings = {"processor_class": "Idefics3Processor", "image_seq_len": TOKENS}
    (folder / "processor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def spread(model: Any) -> None:
    """Draw a model's weights anew, each with the standard deviation fan_in^-0.5."""
    import torch

    head = model.get_output_embeddings()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | torch.nn.Conv3d) and module is not head:
                torch.nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            elif isinstance(module, torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)


def make_tokenizer(folder: Path, special: Sequence[str], template: str, named: Mapping[str, str]) -> int:
    """Write a byte-level tokenizer; the result is how many ids it has.

    `special` begins with the tokens for padding, beginning and end; `named` are those a processor asks for by name.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT, "a\n\nb\n\nc\n\n" * 20] * 2, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": special[0],
        "bos_token": special[1],
        "eos_token": special[2],
        **named,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return int(tokenizer.get_vocab_size())


def draw(colour: str, shape: str, size: tuple[int, int] = (96, 80)) -> Image:
    """A shape (`circle`, `square`, `stripes` or `cross`) of one colour on white."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", size, "white")
    pen, (width, height) = ImageDraw.Draw(image), size
    box = (width // 6, height // 6, width * 5 // 6, height * 5 // 6)
    match shape:
        case "circle":
            pen.ellipse(box, fill=colour)
        case "square":
            pen.rectangle(box, fill=colour)
        case "stripes":
            for left in range(0, width, 16):
                pen.rectangle((left, 0, left + 7, height), fill=colour)
        case _:
            pen.line((0, 0, width, height), fill=colour, width=12)
            pen.line((0, height, width, 0), fill=colour, width=12)
    return image


if __name__ == "__main__":
    import sys

    print(f"wrote {make_seeing_base(Path(sys.argv[1]))}")
