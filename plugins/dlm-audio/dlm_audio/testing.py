"""A small base that hears, with random weights, and sounds to play to it: for tests of anything with recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm_hf.testing import TEXT

if TYPE_CHECKING:
    import numpy

#: As the family's own bases have it; contents are lists of parts.
TEMPLATE = (
    "{% set heard = namespace(count=0) %}{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}{% set heard.count = heard.count + 1 %}"
    "Audio {{ heard.count }}: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]

#: The small base hears this many samples a second, and this many seconds.
RATE, SECONDS = 16_000, 2


def make_hearing_base(folder: Path, hidden: int = 64, layers: int = 2, context: int = 512, seed: int = 0) -> Path:
    """Write a whole Qwen2-Audio base of 0.2 million weights: weights, tokenizer, template and feature extractor.

    Weights are drawn with the standard deviation fan_in^-0.5: with the usual 0.02 a model as narrow as this one learns
    ten times slower, if at all.
    """
    from dlm_hf.imports import prepare

    prepare()
    import torch
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _make_tokenizer(folder)
    text = {
        "model_type": "qwen2",
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "tie_word_embeddings": False,
    }
    hearing = {
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "num_mel_bins": 80,
        "max_source_positions": SECONDS * 50,
    }
    config = Qwen2AudioConfig(audio_config=hearing, text_config=text, audio_token_id=_SPECIAL.index("<|AUDIO|>"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2AudioForConditionalGeneration(config)
        _spread(model)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80, sampling_rate=RATE, chunk_length=SECONDS).save_pretrained(folder)
    (folder / "processor_config.json").write_text('{"processor_class": "Qwen2AudioProcessor"}', encoding="utf-8")
    return folder


def _spread(model: Any) -> None:
    import torch

    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv1d):
                torch.nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            elif isinstance(module, torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=module.weight.shape[1] ** -0.5)


def _make_tokenizer(folder: Path) -> int:
    """Write a byte-level tokenizer with the family's special tokens; the result is how many ids it has."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT, "Audio 1: \nuser\nassistant\nsystem\n" * 20] * 2, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": _SPECIAL[1],
        "eos_token": _SPECIAL[2],
        "pad_token": _SPECIAL[0],
        "audio_token": "<|AUDIO|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return int(tokenizer.get_vocab_size())


def play(sound: str, seconds: float = 0.5, rate: int = RATE) -> numpy.ndarray[Any, Any]:
    """A sound (`low`, `high`, `rising` or `noise`), float32 of shape (samples,)."""
    import numpy

    time = numpy.arange(round(seconds * rate)) / rate
    match sound:
        case "low":
            wave = numpy.sin(2 * numpy.pi * 220 * time)
        case "high":
            wave = numpy.sin(2 * numpy.pi * 1760 * time)
        case "rising":
            wave = numpy.sin(2 * numpy.pi * (200 + 1500 * time / seconds) * time)
        case _:
            wave = numpy.random.default_rng(0).uniform(-1, 1, len(time))
    return (0.5 * wave).astype(numpy.float32)


if __name__ == "__main__":
    import sys

    print(f"wrote {make_hearing_base(Path(sys.argv[1]))}")
