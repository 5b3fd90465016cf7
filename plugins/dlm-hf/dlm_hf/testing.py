"""Small bases with random weights, for tests of anything that trains, runs or exports a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from dlm_core.api import AdapterSettings, BaseModel, Batch, LocatedBase, Precision, TrainingSettings, TrainJob

from .template import CHATML

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dlm_core.api import Row

Family = Literal["llama", "qwen2", "qwen3"]

TEXT = """The harbour of Brenmark lies under a hill of slate, and every morning the fog rings its small bells.
A question asks what is not yet known; an answer says it and stops.  Who keeps the lighthouse?  Oda Vell keeps it.
In winter the boats are drawn up the shore, tarred black, and counted: forty-one of them, one for each family.
What is a gannet?  A gannet is a sea bird that folds its wings and falls.  How deep is the bay?  Twelve fathoms.
assistant user system 0123456789 — “quoted”, naïve, Größe, 東京, été.
"""


def make_small_base(
    folder: Path,
    family: Family = "llama",
    *,
    hidden: int = 64,
    intermediate: int = 128,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    vocabulary: int = 512,
    context: int = 512,
    tied: bool = True,
    dtype: Literal["fp32", "bf16"] = "fp32",
    seed: int = 0,
) -> Path:
    """Write a whole base into `folder`: weights, configuration, tokenizer, ChatML template with answer markers.

    The weights are drawn from `seed`.  Token 0 opens and pads, 1 and 2 are ChatML's; answers end with 2.  The
    tokenizer may know fewer ids than `vocabulary` has rows, as real ones do.
    """
    from .imports import prepare

    prepare()
    import torch
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()

    names = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}
    config = getattr(transformers, f"{names[family]}Config")(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=hidden // heads,
        max_position_embeddings=context,
        tie_word_embeddings=tied,
        initializer_range=0.1,  # with the usual 0.02 a model this narrow cannot say anything clearly
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, f"{names[family]}ForCausalLM")(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16 if dtype == "bf16" else torch.float32).save_pretrained(folder)
    make_small_tokenizer(folder, vocabulary)
    return folder


def make_small_tokenizer(folder: Path, vocabulary: int = 512) -> None:
    """Write a byte-level BPE tokenizer of at most `vocabulary` ids, its settings and the chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [TEXT] * 2,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": special[0],
        "eos_token": special[2],
        "pad_token": special[0],
        "unk_token": special[0],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")


def make_job(folder: Path, rows: Sequence[Row], place: Path, **changes: Any) -> TrainJob:
    """A job that trains one adapter `default` on the base in `folder`; `changes` are fields of TrainJob.

    Results go to `place/out`, checkpoints to `place/work`.
    """
    from .shape import read_shape

    usual: dict[str, Any] = {
        "phase": "sft",
        "base": LocatedBase(BaseModel("small", str(folder)), folder, read_shape(folder), "0" * 64),
        "rows": tuple(rows),
        "validation": (),
        "adapters": {"default": AdapterSettings(lora_r=4, lora_alpha=8, lora_dropout=0.1, learning_rate=5e-3)},
        "settings": TrainingSettings(sequence_len=128, num_epochs=2),
        "precision": Precision("fp32", "none", "a test"),
        "batch": Batch(2, 1),
        "system_prompt": None,
        "config": {},
        "start": None,
        "out": place / "out",
        "work": place / "work",
        "fingerprint": {"document": "a", "base": "b"},
    }
    return TrainJob(**{**usual, **changes})


def make_small_reward_model(folder: Path) -> Path:
    """A random Llama of one layer that gives a conversation one number, with its tokenizer, in a folder made now."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    make_small_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=1,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder
