"""Prose, questions and sounds of several lengths in one batch: each row's losses are those it has alone."""

from __future__ import annotations

from dataclasses import replace

import soundfile
import torch

from dlm_audio.testing import RATE, play
from dlm_core.api import BaseModel, Precision
from dlm_core.testing import Desk
from dlm_hf.batches import collate
from dlm_hf.engine import HfEngine
from dlm_hf.imports import prepare
from dlm_hf.modalities import senses_of
from dlm_hf.tokens import all_examples, load_coder

from .conftest import sections

prepare()

#: How far a row's losses may lie from those it has alone, in nats.
CLOSE = 1e-5
MIXED = "The sounds were recorded in Varn, where the ferry lands, before the storm of that winter.\n\n{}{}"
ASKED = "::instruction::\n### Q\nWho recorded them?\n### A\nIlse Korn.\n"


def test_each_row_in_a_batch_has_the_losses_it_has_alone(desk: Desk) -> None:
    from dlm_hf.loading import load_model, release_model
    from dlm_hf.loss import label_losses

    for name, seconds in {"high": 0.11, "rising": 2.0, "noise": 1.3}.items():
        soundfile.write(desk.folder / f"{name}.wav", play(name, seconds), RATE)
    rows, plugins = desk.rows(MIXED.format(sections(), ASKED)), desk.plugins()
    engine, bare = HfEngine(plugins), BaseModel("hearing", str(desk.folder / "base"))
    base = engine.locate(replace(bare, accepts=engine.accepts(bare)), fetch=False)
    coder = load_coder(base.folder, senses_of(plugins, base))
    examples = all_examples(coder, rows, None, base.shape.context)
    assert sorted(len(one.media) for one in examples) == [0, 0, 1, 1, 1, 1]
    model = load_model(base, Precision("fp32", "none", "a test"))
    batch = collate(examples, coder.pad_id, coder.senses)
    together, whose = label_losses(model, batch, plain_head=True), batch.positions // batch.ids.shape[1]
    for place, one in enumerate(examples):
        alone = label_losses(model, collate([one], coder.pad_id, coder.senses), plain_head=True)
        torch.testing.assert_close(together[whose == place], alone, rtol=0, atol=CLOSE)
        said = coder.tokenizer.decode(batch.targets[whose == place].tolist(), skip_special_tokens=False)
        assert said.endswith("<|im_end|>") or not rows[one.row].messages
        assert "<|AUDIO|>" not in said
    release_model(model)
