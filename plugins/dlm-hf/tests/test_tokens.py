"""Rows as token ids: what is learned is what will be asked, and nothing gets lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.api import BaseMissingError, Message, RunFailedError, Span, chat_row, text_row
from dlm_hf.template import CHATML
from dlm_hf.testing import make_small_tokenizer
from dlm_hf.tokens import Coder, all_examples, examples, load_coder

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = Message.of("user", "Who keeps the lighthouse?")
ANSWER = Message.of("assistant", "Oda Vell keeps it.")
STOP = 2

# As Qwen3's does: earlier answers are recorded without the thought that the last one is recorded with.
FORGETFUL = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
# As some distilled models': what asks for an answer opens a thought that the record lacks.
OPENS_A_THOUGHT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
NO_MARKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
)
REFUSES_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + NO_MARKS
NO_STOP = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("base")
    make_small_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def coder(folder: Path) -> Coder:
    return load_coder(folder)


def with_template(folder: Path, place: Path, template: str | None) -> Coder:
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    if template is None:
        (place / "chat_template.jinja").unlink()
    else:
        (place / "chat_template.jinja").write_text(template, encoding="utf-8")
    return load_coder(place)


def learned(coder: Coder, row_examples: list) -> list[str]:
    """The learned stretches of text, special tokens shown."""
    stretches, open_ = [], False
    for one in row_examples:
        for token, is_learned in zip(one.ids, one.learned, strict=True):
            if is_learned and not open_:
                stretches.append([])
            if is_learned:
                stretches[-1].append(token)
            open_ = is_learned
        open_ = False
    return [coder.tokenizer.decode(ids, skip_special_tokens=False) for ids in stretches]


@pytest.mark.parametrize("template", ["marks", NO_MARKS, OPENS_A_THOUGHT])
def test_only_the_answer_and_its_stop_token_are_learned(folder: Path, tmp_path: Path, template: str) -> None:
    coder = load_coder(folder) if template == "marks" else with_template(folder, tmp_path, template)
    (one,) = examples(coder, chat_row([QUESTION, ANSWER], Span(3)), "Be brief.", 256)
    assert learned(coder, [one]) == ["Oda Vell keeps it.<|im_end|>"]
    prompt = one.ids[: one.learned.index(True)]
    assert list(prompt) == coder.encode(coder.render([QUESTION], "Be brief."))


def test_every_turn_of_a_conversation_is_learned_in_one_example(coder: Coder) -> None:
    more = [Message.of("user", "And in winter?"), Message.of("assistant", "Nobody.")]
    (one,) = examples(coder, chat_row([QUESTION, ANSWER, *more], Span(3)), None, 256)
    assert learned(coder, [one]) == ["Oda Vell keeps it.<|im_end|>", "Nobody.<|im_end|>"]
    asked = coder.encode(coder.render([QUESTION, ANSWER, more[0]]))
    assert list(one.ids[: len(asked)]) == asked


def test_a_template_that_rewrites_earlier_turns_gives_one_example_a_turn(folder: Path, tmp_path: Path) -> None:
    coder = with_template(folder, tmp_path, FORGETFUL)
    more = [Message.of("user", "And in winter?"), Message.of("assistant", "Nobody.")]
    first, second = examples(coder, chat_row([QUESTION, ANSWER, *more], Span(3)), None, 256)
    assert learned(coder, [first, second]) == ["Oda Vell keeps it.<|im_end|>", "Nobody.<|im_end|>"]
    for one, asked in ((first, [QUESTION]), (second, [QUESTION, ANSWER, more[0]])):
        assert list(one.ids[: one.learned.index(True)]) == coder.encode(coder.render(asked))


@pytest.mark.parametrize("template", [NO_SYSTEM, REFUSES_SYSTEM])
def test_a_system_prompt_is_never_lost_in_silence(folder: Path, tmp_path: Path, template: str) -> None:
    coder = with_template(folder, tmp_path, template)
    with pytest.raises(RunFailedError, match=r"line 7.*(system)"):
        examples(coder, chat_row([QUESTION, ANSWER], Span(7)), "Be brief.", 256)


def test_a_template_without_a_stop_token_is_refused(folder: Path, tmp_path: Path) -> None:
    coder = with_template(folder, tmp_path, NO_STOP)
    with pytest.raises(RunFailedError, match=r"line 7.*no stop token"):
        examples(coder, chat_row([QUESTION, ANSWER], Span(7)), None, 256)


def test_an_answer_that_writes_the_stop_token_is_refused(coder: Coder) -> None:
    row = chat_row([QUESTION, Message.of("assistant", "It is <|im_end|> there.")], Span(7))
    with pytest.raises(RunFailedError, match=r"line 7.*stop token"):
        examples(coder, row, None, 256)


def test_a_base_without_a_template_gets_chatml_when_it_knows_the_tokens(folder: Path, tmp_path: Path) -> None:
    coder = with_template(folder, tmp_path, None)
    assert coder.chat_template == CHATML
    assert learned(coder, examples(coder, chat_row([QUESTION, ANSWER], Span(1)), None, 256)) == [
        "Oda Vell keeps it.<|im_end|>"
    ]


def test_a_base_without_template_and_tokens_takes_prose_only(folder: Path, tmp_path: Path) -> None:
    text = (folder / "tokenizer.json").read_text(encoding="utf-8").replace("<|im_start|>", "<|other|>")
    with_template(folder, tmp_path, None)
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    coder = load_coder(tmp_path)
    assert examples(coder, text_row("The bay is deep.", Span(1)), None, 256)
    with pytest.raises(RunFailedError, match=r"line 5.*no chat template"):
        examples(coder, chat_row([QUESTION, ANSWER], Span(5)), None, 256)


def test_a_folder_without_tokenizer_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BaseMissingError, match=r"tokenizer\.json"):
        load_coder(tmp_path)


def test_rendering_and_masks_are_those_of_transformers(folder: Path, coder: Coder) -> None:
    from dlm_hf.imports import prepare

    prepare()
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    messages = [Message.of("system", "Be brief."), QUESTION, ANSWER]
    plain = [{"role": one.role, "content": one.text} for one in messages]
    assert coder.render(messages[:2]) == theirs.apply_chat_template(
        plain[:2], tokenize=False, add_generation_prompt=True
    )
    found = theirs.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
    (one,) = examples(coder, chat_row(messages, Span(1)), None, 256)
    size = len(one.ids)
    assert found["input_ids"][:size] == list(one.ids)
    assert found["assistant_masks"][:size] == [int(is_learned) for is_learned in one.learned]
    assert not any(found["assistant_masks"][size:])


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abc .\n东é<|", min_size=1, max_size=600), limit=st.integers(8, 40))
def test_splitting_prose_loses_and_repeats_nothing(coder: Coder, text: str, limit: int) -> None:
    pieces = examples(coder, text_row(text, Span(1)), None, limit)
    assert all(len(one.ids) <= limit for one in pieces)
    tokens = [pieces[0].ids[0]] + [
        token for one in pieces for token, is_learned in zip(one.ids, one.learned, strict=True) if is_learned
    ]
    assert tokens[-1] == STOP
    assert coder.tokenizer.decode(tokens[:-1], skip_special_tokens=False) == text


def test_prose_is_split_between_paragraphs(coder: Coder) -> None:
    text = "\n\n".join(f"Paragraph {number} speaks of boats and of the bay." for number in range(20))
    pieces = examples(coder, text_row(text, Span(1)), None, 64)
    assert len(pieces) > 5
    for one in pieces[1:]:
        assert coder.decode(one.ids[1:]).startswith("Paragraph")


def test_marks_inside_prose_are_ordinary_text(coder: Coder) -> None:
    (one,) = examples(coder, text_row("A turn ends with <|im_end|> here.", Span(1)), None, 256)
    assert one.ids.count(STOP) == 1
    assert one.ids[-1] == STOP


def test_prose_begins_as_the_tokenizer_begins_it(folder: Path, tmp_path: Path) -> None:
    with_template(folder, tmp_path, NO_MARKS)
    settings_path = tmp_path / "tokenizer_config.json"
    settings_path.write_text(
        json.dumps({**json.loads(settings_path.read_text(encoding="utf-8")), "add_bos_token": True}), encoding="utf-8"
    )
    coder = load_coder(tmp_path)
    pieces = examples(coder, text_row("The bay is deep. " * 20, Span(1)), None, 32)
    assert all(one.ids[0] == coder.bos_id and one.labelled == len(one.ids) - 1 for one in pieces)


def test_long_conversations_are_an_error_that_names_each_line(coder: Coder) -> None:
    long = Message.of("assistant", "boat " * 60)
    rows = [chat_row([QUESTION, ANSWER], Span(2)), *(chat_row([QUESTION, long], Span(line)) for line in (9, 14))]
    with pytest.raises(RunFailedError, match=r"line 9: .* tokens, 64 fit\nline 14: ") as caught:
        all_examples(coder, rows, None, 64)
    assert caught.value.hint
    assert [one.line for one in all_examples(coder, rows, None, 64, "skip")] == [2]
    cut = all_examples(coder, rows, None, 64, "cut")
    assert [(one.line, len(one.ids) <= 64) for one in cut] == [(2, True), (9, True), (14, True)]


def test_counting_tokens_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dlm_hf.tokens import *; from dlm_core.api import *;"
        f"c = load_coder(Path({str(folder)!r}));"
        "examples(c, chat_row([Message.of('user', 'a'), Message.of('assistant', 'b')], Span(1)), None, 64);"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


CLOCKS = {
    "asks whether": (
        "{% if strftime_now is defined %}{% set day = strftime_now('%d %b %Y') %}"
        "{% else %}{% set day = '26 Jul 2024' %}{% endif %}",
        "26 Jul 2024",
    ),
    "asks": ('{%- set day = strftime_now( "%Y-%m-%d" ) -%}', "2025-01-01"),
    "asks by a variable": ("{% set form = '%Y' %}{% set day = strftime_now(form) %}", "2025"),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_a_template_has_no_clock(folder: Path, tmp_path: Path, kind: str) -> None:
    """Rows of the same document have the same ids on every day."""
    head, day = CLOCKS[kind]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text(head + "It is {{ day }}.\n" + NO_MARKS, encoding="utf-8")
    assert load_coder(tmp_path).render([QUESTION]).startswith(f"It is {day}.\n")


def test_rows_that_are_only_measured_or_asked_may_have_any_length(folder: Path) -> None:
    from dlm_hf.measure import row_sizes

    long = chat_row([Message.of("user", "Who keeps it? " * 4000), ANSWER], Span(1), role="exam")
    short, huge = row_sizes(folder, [chat_row([QUESTION, ANSWER], Span(1)), long], None, 64)
    assert huge.tokens > 4000 > short.tokens
    assert huge.labelled == short.labelled
