"""Families of bases beside the small one of the other tests: learned, and counted as the library counts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dlm_core.testing import Desk
from dlm_image.families import qwen_vl
from dlm_image.modality import Sight
from dlm_image.testing import draw
from dlm_image.testing_qwen import make_qwen_base

from .conftest import PICTURES, front, sections

MIXED = "The pictures hang in the harbour of Varn.\n\n{}::instruction::\n### Q\nWho drew them?\n### A\nIlse Korn.\n"
SIZES = [(28, 28), (40, 100), (96, 80), (300, 20), (500, 400), (1000, 1000), (1024, 61)]


@pytest.mark.parametrize("family", ["Qwen2VL", "Qwen2_5_VL", "Qwen3VL"])
def test_pictures_beside_prose_and_a_question(desk: Desk, family: str) -> None:
    (desk.folder / "base").unlink()
    make_qwen_base(desk.folder / "base", family)
    done = desk.run(MIXED.format(sections()), "--min-exam", "1", "--no-export", front=front())
    assert done.code == 0, done.err
    exam = done.event("exam")["exam"]
    said = [answer["answer"] for answer in exam["answers"]]
    assert said == [*(caption for _, _, caption in PICTURES.values()), "Ilse Korn."]
    (check,) = exam["blanks"]
    assert (check["asked"], check["blind"]) == (4, False)


@pytest.mark.parametrize("size", SIZES)
def test_as_many_tokens_are_planned_as_the_library_counts(tmp_path: Path, size: tuple[int, int]) -> None:
    from transformers import Qwen2VLImageProcessorPil

    pixels = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 100}
    made = Qwen2VLImageProcessorPil(**pixels)
    made.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl", "image_token_id": 5}))
    grid = made([draw("red", "circle", size)], return_tensors="pt")["image_grid_thw"][0]
    wanted = int(grid.prod()) // 4
    facts = {"width": size[0], "height": size[1]}
    assert Sight().expansion(tmp_path, facts).count("<|image_pad|>") == wanted
    assert qwen_vl.read(tmp_path, {"image_token_id": 5}).most == 28 * 28 * 100


def test_a_template_of_an_older_processor_is_read(desk: Desk, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the repositories of SmolVLM and Idefics3: `chat_template.json`."""
    monkeypatch.chdir(desk.folder)
    desk.write(sections(), front())
    wanted = desk.dlm("tokens", "notes.dlm", "--json").json["rows"]
    (desk.folder / "base").unlink()
    shutil.copytree(base, desk.folder / "base")
    template = desk.folder / "base" / "chat_template.jinja"
    older = json.dumps({"chat_template": template.read_text()})
    template.unlink()
    (desk.folder / "base" / "chat_template.json").write_text(older)
    assert desk.dlm("tokens", "notes.dlm", "--json").json["rows"] == wanted


@pytest.mark.parametrize("family", ["Qwen2VL", "Qwen2_5_VL", "Qwen3VL"])
def test_each_row_in_a_batch_has_the_losses_it_has_alone(desk: Desk, family: str) -> None:
    import torch

    from dlm_core.api import BaseModel, Precision
    from dlm_hf.batches import collate
    from dlm_hf.engine import HfEngine
    from dlm_hf.loading import load_model, release_model
    from dlm_hf.loss import label_losses
    from dlm_hf.modalities import senses_of
    from dlm_hf.tokens import all_examples, load_coder

    (desk.folder / "base").unlink()
    draw("red", "circle", (200, 60)).save(desk.folder / "circle.png")
    bare = BaseModel("seeing", str(make_qwen_base(desk.folder / "base", family)))
    rows, plugins = desk.rows(MIXED.format(sections())), desk.plugins()
    engine = HfEngine(plugins)
    base = engine.locate(replace(bare, accepts=engine.accepts(bare)), fetch=False)
    coder = load_coder(base.folder, senses_of(plugins, base))
    examples = all_examples(coder, rows, None, base.shape.context)
    model = load_model(base, Precision("fp32", "none", "a test"))
    batch = collate(examples, coder.pad_id, coder.senses)
    together, whose = label_losses(model, batch, plain_head=True), batch.positions // batch.ids.shape[1]
    for place, one in enumerate(examples):
        alone = label_losses(model, collate([one], coder.pad_id, coder.senses), plain_head=True)
        torch.testing.assert_close(together[whose == place], alone, rtol=0, atol=1e-5)
    release_model(model)
