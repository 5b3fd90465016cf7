"""Prose, conversations and pictures in one batch: each row's losses are those it has alone, and only answers count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name

from dlm_core.api import BaseModel, Precision
from dlm_core.testing import Desk
from dlm_hf.batches import MicroBatch, collate
from dlm_hf.imports import prepare
from dlm_hf.loading import load_model, release_model
from dlm_hf.loss import label_losses, labelled_states, plain_head, summed_loss
from dlm_hf.tokens import load_coder
from dlm_image.testing import draw

from .conftest import PICTURES

prepare()

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dlm_core.api import Row
    from dlm_hf.example import Example
    from dlm_hf.tokens import Coder

#: How far a row's numbers may lie from those it has alone, in nats and in logits.
CLOSE = 1e-5
PROSE = "The pictures hang in the harbour of Varn, where the ferry lands. " * 3
ANSWERS = {"Who drew them?": "Ilse Korn.", "And when?": "In the winter of 1911, in a week."}
#: Two pictures of other sizes than the four: a wide one in two tiles, and a small one; the processor enlarges both.
SIZES = {"wide": (120, 36), "small": (20, 30)}
EXPECTED = {
    "text": [PROSE.strip().removeprefix("The ")],  # nothing comes before the first word that could tell it
    "talk": list(ANSWERS.values()),
    "seen": [caption for _, _, caption in PICTURES.values()] + ["a wide circle", "a small circle"],
}


@dataclass
class Mixed:
    """Rows of every kind, the examples made of them, and the model that reads them."""

    rows: Sequence[Row]
    examples: list[Example]
    coder: Coder
    model: Any
    folder: Path

    def batch(self, examples: Sequence[Example] | None = None) -> MicroBatch:
        return collate(self.examples if examples is None else examples, self.coder.pad_id, self.coder.senses)

    def logits(self, batch: MicroBatch) -> torch.Tensor:
        """Those of the positions that are learned, shape (labelled, vocabulary), float32."""
        with torch.no_grad():
            states = labelled_states(self.model, batch, plain_head=True)
            found: torch.Tensor = self.model.get_output_embeddings()(states)
        return found.float()


@pytest.fixture
def mixed(desk: Desk) -> Iterator[Mixed]:
    from dlm_hf.engine import HfEngine
    from dlm_hf.modalities import senses_of
    from dlm_hf.tokens import all_examples

    for name, size in SIZES.items():
        draw("red", "circle", size).save(desk.folder / f"{name}.png")
    shown = {**{name: said for name, (_, _, said) in PICTURES.items()}, **{name: f"a {name} circle" for name in SIZES}}
    pictures = [f'::image path="{name}.png"::\n{said}\n\n' for name, said in shown.items()]
    talk = "".join(f"### Q\n{question}\n### A\n{answer}\n" for question, answer in ANSWERS.items())
    body = (
        f"{pictures[0]}::prose::\n{PROSE}\n\n{''.join(pictures[1:4])}::instruction::\n{talk}\n{''.join(pictures[4:])}"
    )
    rows = desk.rows(body)
    plugins = desk.plugins()
    engine = HfEngine(plugins)
    bare = BaseModel("seeing", str(desk.folder / "base"))
    base = engine.locate(replace(bare, accepts=engine.accepts(bare)), fetch=False)
    coder = load_coder(base.folder, senses_of(plugins, base))
    examples = all_examples(coder, rows, None, base.shape.context)
    model = load_model(base, Precision("fp32", "none", "a test"))
    assert plain_head(model) is not None
    yield Mixed(rows, examples, coder, model, base.folder)
    release_model(model)


def test_every_kind_of_row_is_in_one_batch(mixed: Mixed) -> None:
    assert {bool(one.media) for one in mixed.examples} == {True, False}
    assert {row.kind for row in mixed.rows} == {"text", "chat"}
    assert len(mixed.examples) == 9
    lengths = [len(one.ids) for one in mixed.examples]
    assert max(lengths) > 2 * min(lengths)  # there is padding to get wrong
    batch = mixed.batch()
    assert batch.ids.shape == (9, max(lengths))
    assert batch.beside["pixel_values"].shape[1] > len(PICTURES)  # tiles and all


def test_each_row_in_a_batch_has_the_losses_it_has_alone(mixed: Mixed) -> None:
    batch = mixed.batch()
    together = label_losses(mixed.model, batch, plain_head=True)
    logits, whose = mixed.logits(batch), batch.positions // batch.ids.shape[1]
    for place, one in enumerate(mixed.examples):
        alone = mixed.batch([one])
        torch.testing.assert_close(logits[whose == place], mixed.logits(alone), rtol=0, atol=CLOSE)
        mine = label_losses(mixed.model, alone, plain_head=True)
        torch.testing.assert_close(together[whose == place], mine, rtol=0, atol=CLOSE)
    whole = summed_loss(mixed.model, batch, plain_head=True)
    each = sum(summed_loss(mixed.model, mixed.batch([one]), plain_head=True).item() for one in mixed.examples)
    assert whole.item() / len(batch.positions) == pytest.approx(each / len(batch.positions), abs=CLOSE)


def test_the_order_of_the_rows_changes_nothing(mixed: Mixed) -> None:
    back = mixed.batch(mixed.examples[::-1])
    losses, whose = label_losses(mixed.model, back, plain_head=True), back.positions // back.ids.shape[1]
    for place, one in enumerate(mixed.examples[::-1]):
        mine = label_losses(mixed.model, mixed.batch([one]), plain_head=True)
        torch.testing.assert_close(losses[whose == place], mine, rtol=0, atol=CLOSE)


def test_another_picture_gives_other_losses(mixed: Mixed) -> None:
    """So that the agreement above says something: the picture reaches the logits of its own row."""
    first, second = [one for one in mixed.examples if one.media][:2]
    swapped = mixed.batch([first])
    swapped.beside["pixel_values"][:] = mixed.batch([second]).beside["pixel_values"]
    assert (mixed.logits(swapped) - mixed.logits(mixed.batch([first]))).abs().max() > 100 * CLOSE


def test_what_is_learned_of_a_batch_is_the_answers(mixed: Mixed) -> None:
    batch = mixed.batch()
    whose = batch.positions // batch.ids.shape[1]
    ends = "<end_of_utterance>"
    found: dict[str, list[str]] = {"text": [], "talk": [], "seen": []}
    for place, one in enumerate(mixed.examples):
        said = mixed.coder.tokenizer.decode(batch.targets[whose == place].tolist(), skip_special_tokens=False)
        assert said.endswith(ends)
        assert "<image>" not in said
        row = mixed.rows[one.row]
        sort = "text" if row.kind == "text" else "seen" if one.media else "talk"
        found[sort].append(said.removesuffix(ends).strip())
    assert found == EXPECTED


def test_a_row_with_a_picture_is_what_transformers_makes_of_it(mixed: Mixed) -> None:
    """The family's own processor, its own forward pass with attention masks, all positions projected."""
    from PIL import Image
    from transformers import AutoTokenizer, Idefics3ImageProcessorPil, Idefics3Processor

    tokenizer = AutoTokenizer.from_pretrained(mixed.folder)
    pictures = Idefics3ImageProcessorPil.from_pretrained(mixed.folder)
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=mixed.coder.chat_template)
    for one in (one for one in mixed.examples if one.media):
        row = mixed.rows[one.row]
        asked = [{"type": "image"}, {"type": "text", "text": row.messages[0].text}]
        said = [{"type": "text", "text": row.answer}]
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
        with Image.open(one.media[0].path) as picture:
            made = processor(text=processor.apply_chat_template(turns), images=[[picture]], return_tensors="pt")
        ids = made["input_ids"][0]
        # A template writes a line break behind the last turn, which nobody is to learn.
        assert tuple(ids[: len(one.ids)].tolist()) == one.ids
        with torch.no_grad():
            logits = mixed.model(**made).logits[0]
        learned = torch.tensor(one.learned).nonzero().squeeze(1)
        expected = F.cross_entropy(logits[learned - 1], ids[learned], reduction="none")
        mine = label_losses(mixed.model, mixed.batch([one]), plain_head=True)
        torch.testing.assert_close(mine, expected, rtol=0, atol=CLOSE)
