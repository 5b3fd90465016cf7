"""The model folder: it loads, its tokenizer is lossless, its template marks answers, its sizes suit quantization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_tiny.plugin import MODEL, dlm_base_models

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PLAIN_TEMPLATE = """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '
' + message['content'] | trim + '<|im_end|>' + '
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

CHAT = [
    {"role": "system", "content": " Be brief. "},
    {"role": "user", "content": "Who are you?\n"},
    {"role": "assistant", "content": "A small model.\nNothing more."},
    {"role": "user", "content": "<b>Bye</b>"},
    {"role": "assistant", "content": " Bye. "},
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def model() -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def test_model_has_the_declared_number_of_weights(model: Any) -> None:
    assert model.num_parameters() == dlm_base_models()[0].parameters
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_rows_suit_block_quantization(model: Any) -> None:
    assert model.config.hidden_size % 256 == 0
    assert model.config.intermediate_size % 256 == 0


def test_weights_are_bf16_on_disk() -> None:
    from safetensors import safe_open

    with safe_open(Path(MODEL) / "model.safetensors", framework="pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118 (not a dict)
    assert kinds == {torch.bfloat16}


def test_it_is_pretrained(model: Any, tokenizer: Any) -> None:
    ids = tokenizer("The old man went down to the river and sat under a tree.", return_tensors="pt")["input_ids"]
    scrambled = ids[:, torch.randperm(ids.shape[1], generator=torch.Generator().manual_seed(1))]
    with torch.no_grad():
        plain, mixed = (model(input_ids=x, labels=x).loss.item() for x in (ids, scrambled))
    assert plain < 5.5  # an untrained model: log(4096) = 8.3
    assert plain < mixed - 1


def test_generation_ends_at_the_stop_token(model: Any, tokenizer: Any) -> None:
    question = [{"role": "user", "content": "Who wrote it?"}]
    batch = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    out = model.generate(**batch, max_new_tokens=80, do_sample=False)[0].tolist()
    assert out[-1] == tokenizer.eos_token_id


def test_pad_and_stop_tokens_differ_and_agree_everywhere(model: Any, tokenizer: Any) -> None:
    assert tokenizer.pad_token_id == model.config.pad_token_id == model.generation_config.pad_token_id == 0
    assert tokenizer.eos_token_id == model.config.eos_token_id == model.generation_config.eos_token_id == 2
    assert tokenizer.decode([2]) == "<|im_end|>"


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_tokenizer_round_trips_any_text(tokenizer: Any, text: str) -> None:
    plain = text.replace("<|", "< |")
    assert tokenizer.decode(tokenizer(plain)["input_ids"]) == plain


@pytest.mark.parametrize("prompt", [False, True])
def test_template_writes_plain_chatml(tokenizer: Any, prompt: bool) -> None:
    marked = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=prompt)
    plain = tokenizer.apply_chat_template(
        CHAT, tokenize=False, add_generation_prompt=prompt, chat_template=PLAIN_TEMPLATE
    )
    assert marked == plain


def test_template_marks_each_answer_with_its_stop_token_and_nothing_else(tokenizer: Any) -> None:
    made = tokenizer.apply_chat_template(CHAT, return_dict=True, return_assistant_tokens_mask=True)
    runs: list[list[int]] = [[]]
    for token, marked in zip(made["input_ids"], made["assistant_masks"], strict=True):
        if marked:
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    texts = [tokenizer.decode(run) for run in runs if run]
    assert texts == ["A small model.\nNothing more.<|im_end|>", "Bye.<|im_end|>"]
