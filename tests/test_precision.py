"""Which number format a machine trains in, by the machine, the base and the document, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlm_core.api import BaseModel, Document, DocumentError, Hardware, Precision, Span
from dlm_core.planning.fitting import what_fits
from dlm_core.planning.hardware import read_hardware
from dlm_core.planning.plan import choose_precision, refuse_before_download
from dlm_core.plugins import Plugins
from dlm_core.store import open_store
from dlm_core.testing import Desk
from dlm_core.testing.desk import document_id

GB = 1 << 30
H200 = Hardware("cuda", "NVIDIA H200", 16, 140 * GB, 139 * GB, bf16=True)
T4 = Hardware("cuda", "NVIDIA T4", 4, 15 * GB, 14 * GB, bf16=False)
APPLE = Hardware("mps", "Apple silicon", 8, 16 * GB, 8 * GB, bf16=False)
OLD = Hardware("cpu", "an old processor", 4, 16 * GB, 12 * GB, bf16=False)
NEW = Hardware("cpu", "a new processor", 4, 16 * GB, 12 * GB, bf16=True)

LITTLE, BIG = (
    BaseModel("little", "hub:a/b", parameters=4_000_000),
    BaseModel("big", "hub:a/c", parameters=1_000_000_000),
)
HUGE = BaseModel("huge", "hub:a/d", parameters=8_000_000_000)


def document(**training: Any) -> Document:
    config = {"training": {"precision": None, "adapters": None, "adapter": "lora", **training}}
    spans = {"base_model": Span(4), "training.precision": Span(6, 3)}
    return Document(Path("a.dlm"), "0" * 26, "little", None, None, config, (), spans)


def choose(hardware: Hardware, base: BaseModel = BIG, **training: Any) -> Precision:
    return choose_precision(hardware, base, document(**training), Plugins.load())


@pytest.mark.parametrize(
    ("hardware", "base", "dtype", "words"),
    [
        (H200, LITTLE, "bf16", "natively"),
        (T4, LITTLE, "fp16", "losses are scaled"),
        (APPLE, BIG, "fp32", "NaN"),
        (OLD, BIG, "fp32", "without bf16"),
        (NEW, BIG, "bf16", "in hardware"),
        (NEW, LITTLE, "bf16", "in hardware"),
        (OLD, LITTLE, "fp32", "without bf16"),
        (OLD, HUGE, "bf16", "more than half"),
    ],
)
def test_the_machine_decides_with_its_reason(hardware: Hardware, base: BaseModel, dtype: str, words: str) -> None:
    found = choose(hardware, base)
    assert (found.dtype, found.quant) == (dtype, "none")
    assert words in found.reason


def test_a_folder_s_size_is_that_of_its_weights(tmp_path: Path) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(8 * GB)
    assert choose(OLD, BaseModel("here", str(tmp_path))).dtype == "bf16"
    assert choose(OLD, BaseModel("nowhere", str(tmp_path / "none"))).dtype == "fp32"


@pytest.mark.parametrize("hardware", [H200, T4, APPLE, OLD, NEW], ids=lambda one: one.name)
def test_the_document_decides_where_it_says_so(hardware: Hardware) -> None:
    for dtype in ("bf16", "fp32"):
        assert choose(hardware, precision=dtype) == Precision(dtype, "none", "the document says so")
    if hardware.backend == "cuda":
        assert choose(hardware, precision="fp16").dtype == "fp16"
        return
    with pytest.raises(DocumentError, match=r"DLM0408.*fp16 cannot be trained here") as refused:
        choose(hardware, precision="fp16")
    (problem,) = refused.value.problems
    assert problem.span == Span(6, 3)


@pytest.mark.parametrize("training", [{"adapter": "qlora"}, {"adapters": {"a": {"adapter": "qlora"}}}])
def test_qlora_is_a_base_in_four_bits(training: dict[str, Any]) -> None:
    found = choose(T4, **training)
    assert (found.dtype, found.quant) == ("fp16", "nf4")
    assert "NF4" in found.reason
    assert "losses are scaled" in found.reason


def test_the_flat_kind_does_not_count_beside_named_adapters() -> None:
    assert choose(H200, adapter="qlora", adapters={"a": {"adapter": "dora"}}).quant == "none"


@pytest.mark.parametrize(
    ("precision", "base", "hint"),
    [
        (Precision("fp32", "none", ""), HUGE, "set training.adapter: qlora"),
        (Precision("fp32", "none", ""), BaseModel("x", "hub:a/b", parameters=5 * GB), "training.precision: bf16"),
        (Precision("bf16", "none", ""), BaseModel("x", "hub:a/b", parameters=70 * GB), "smaller base"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_setting_that_helps(
    precision: Precision, base: BaseModel, hint: str
) -> None:
    with pytest.raises(DocumentError, match="DLM0406") as refused:
        refuse_before_download(document(), base, OLD, precision)
    assert hint in (refused.value.problems[0].hint or "")


def test_the_doctor_s_table_follows_the_memory() -> None:
    def table(hardware: Hardware) -> dict[tuple[str, str], int]:
        return {(one.size, one.adapter): one.longest for one in what_fits(hardware)}

    large, small = table(H200), table(T4)
    assert large["70B", "lora"] == 0
    assert large["70B", "qlora"] > 0
    assert large["8B", "lora"] >= 4096
    assert small["8B", "lora"] == 0
    assert all(small[key] <= large[key] for key in large)
    (knob,) = (one.knob for one in what_fits(H200) if (one.size, one.adapter) == ("70B", "lora"))
    assert knob == "training.adapter: qlora"


USUAL = "bf16" if read_hardware().bf16 else "fp32"


@pytest.mark.parametrize(
    ("written", "dtype"),
    [("", USUAL), ("training: {precision: bf16}", "bf16"), ("training: {precision: fp32}", "fp32")],
)
def test_the_reason_is_in_plan_terminal_and_manifest(dlm_desk: Desk, written: str, dtype: str) -> None:
    path = dlm_desk.write("A harbour.\n", written)
    assert dlm_desk.dlm("bases", "--fetch", "null-base").code == 0
    plan = dlm_desk.dlm("plan", path, "--json").json["precision"]
    assert plan["dtype"] == dtype
    assert (
        "the document says so" if written else "this processor" if USUAL == "bf16" else "a processor without"
    ) in plan["reason"]
    assert f"{dtype} ({plan['reason']})" in dlm_desk.dlm("train", path).err
    version = open_store(document_id(path.name)).current()
    assert version is not None
    assert version.manifest["plan"]["precision"] == plan
    assert {"name": "precision", "value": dtype, "reason": plan["reason"]} in version.manifest["plan"]["choices"]
