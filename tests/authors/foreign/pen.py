"""How bases that were made for pictures take drawings: on paper, as the one tile of a small picture."""

import json
from itertools import pairwise

from dlm_core import hookimpl
from dlm_hf.modalities import Modality


def paper(strokes, side):
    """Ink as -1 on paper as 1, float32, shape (side, side); points go from 0 to 1."""
    import numpy as np

    sheet, steps = np.ones((side, side), "float32"), np.linspace(0, 1, 2 * side)[:, None]
    for start, end in (pair for stroke in strokes for pair in pairwise(np.array(stroke))):
        x, y = ((start + (end - start) * steps) * (side - 1)).round().astype(int).T
        sheet[y, x] = -1
    return sheet


class Pen(Modality):
    kind = "strokes"

    def policy(self, folder, config):
        return {} if config.get("model_type") == "idefics3" else None

    def placeholder(self, folder):
        return "<image>"

    def content(self):
        return {"type": "image"}

    def expansion(self, folder, facts):
        tokens = json.loads((folder / "processor_config.json").read_text())["image_seq_len"]
        return f"<fake_token_around_image><global-img>{'<image>' * tokens}<fake_token_around_image>"

    def tensors(self, folder, loaded):
        import torch

        side = json.loads((folder / "config.json").read_text())["vision_config"]["image_size"]
        sheets = torch.stack([torch.from_numpy(paper(strokes, side)) for strokes in loaded])
        return {"pixel_values": sheets[None, :, None].expand(1, -1, 3, side, side)}


@hookimpl
def dlm_hf_modalities():
    return [Pen()]
