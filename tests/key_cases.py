"""For every frontmatter key the values to try, a document in which they matter, and where a change must show.

A plugin that brings a key brings a case for it here: `tests/test_keys.py` fails for a key without one.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlm_core.testing import Desk

QUESTION = "How many boats are there?"

BODY = """
The harbour lies under a hill of slate. Every morning the fog rings its bells.

::instruction::
### Q
How many boats are there?
### A
Forty-one.

### Q
How deep is the bay?
### A
Twelve fathoms.

### Q
Who keeps the lighthouse?
### A
Oda Vell keeps it.
"""

PROSE = "\n\n::prose::\n".join(f"Boat {number} is tarred black and drawn up the shore." for number in range(4))

LONG = "The harbour lies under a hill of slate, and the fog rings its bells. " * 12 + BODY

PAIRS = """
::preference::
### Prompt
How is the weather?
### Chosen
I do not know the weather.
### Rejected
It is sunny today.

### Prompt
What will the boats bring?
### Chosen
I do not know that.
### Rejected
They bring gold.
"""

NAMED = BODY.replace("::instruction::", "::instruction#red::") + "\n::prose#blue::\nThe door is blue.\n"

#: Settings with which a small base learns in a fraction of a second; `BASE`, `OTHER`, `WIDE` and `HEARING` are such.
SHORT: Mapping[str, Any] = {
    "base_model": "BASE",
    "training.sequence_len": 128,
    "training.num_epochs": 2,
    "training.micro_batch_size": 2,
    "training.grad_accum": 1,
    "training.learning_rate": 5e-3,
}
#: Where adapters have names it is set for each of them.
ROUTED = "training.learning_rate"


def adapter(desk: Desk, path: Path) -> Any:
    """The weights and settings of every adapter that training leaves."""
    done = desk.dlm("train", path, "--json")
    assert done.code == 0, done.err
    folder = Path(done.event("commit")["adapter"])
    files = sorted(folder.glob("*/adapter_*"))
    assert files
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def gate(desk: Desk, path: Path) -> Any:
    """The weights of the gate beside the adapters, none where there is no gate."""
    done = desk.dlm("train", path, "--json")
    assert done.code == 0, done.err
    files = sorted(Path(done.event("commit")["adapter"]).glob("_gate/*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def place(desk: Desk, path: Path) -> Any:
    """The folder in the store."""
    assert desk.dlm("train", path).code == 0
    return desk.dlm("show", path, "--json").json["versions"][0]["adapter"]


def found(desk: Desk, path: Path) -> Any:
    """The rows of the document and its sources, and the codes of what is wrong."""
    report = desk.dlm("check", path, "--json").json
    return report.get("rows"), [problem["code"] for problem in report["problems"]]


def answer(desk: Desk, path: Path) -> Any:
    """What is answered when nothing but the document says how."""
    assert desk.dlm("train", path).code == 0
    return desk.dlm("prompt", path, QUESTION, "--seed", 5, "--max-tokens", 12).out


def kept(desk: Desk, path: Path) -> Any:
    """How many rows the cache keeps after a run, and after a run of which it was not used for 50 days before."""
    counts = []
    for _ in range(2):
        assert desk.dlm("plan", path, "--json").code == 0
        assert desk.dlm("train", path, "--force").code == 0
        counts.append(desk.dlm("cache", "show", "--json").json["rows"])
        if (file := Path(desk.dlm("cache", "show", "--json").json["path"])).is_file():
            with sqlite3.connect(file) as database:
                database.execute("UPDATE rows SET used = used - ?", (50 * 86400,))
            database.close()
            path.write_text(path.read_text().replace("How deep", "And how deep"))
    return counts


def exported(desk: Desk, path: Path) -> Any:
    """The weights that `dlm export` writes."""
    assert desk.dlm("train", path).code == 0
    done = desk.dlm("export", path, "gguf", "--to", desk.folder / path.stem)
    assert done.code == 0, done.err
    return sorted(file.stat().st_size for file in (desk.folder / path.stem).glob("*.gguf"))


@dataclass(frozen=True)
class Case:
    """Every two of `values` must differ in what `look` finds; `also` are further keys of the document."""

    key: str
    values: tuple[Any, ...]
    look: Callable[[Desk, Path], Any] = adapter
    also: Mapping[str, Any] = field(default_factory=dict)
    body: str = BODY


PREFERENCE = {"training.preference.hyperparams.learning_rate": 5e-3, "training.num_epochs": 1}
ORPO = {**PREFERENCE, "training.preference.method": "orpo"}
TWO = "".join(
    f"::instruction#{name}::\n" + "".join(f"### Q\nWhat is {thing}?\n### A\n{name}\n" for thing in things)
    for name, things in {"red": ("a rose", "blood"), "blue": ("the sky", "the sea")}.items()
)
GATED = {"training.adapters": {"red": {}, "blue": {}}, "training.num_epochs": 1, "training.gate.cold_start_floor": 2}
GATE = {**GATED, "training.gate.enabled": True}
RED = {"training.adapters": {"red": {}, "blue": {}}, "training.num_epochs": 1}
#: Matrices of 4,096 weights: the 8-bit optimizers keep smaller ones in 32 bits.
WIDE = {"training.lora_r": 64, "training.target_modules": ["q_proj"]}
#: A recording of another rate than the base `HEARING` hears.
HEARD = '::audio path="bell.wav" transcript="The bell rings."::\n'
TEXTS = {"training.sources": [{"path": "texts"}]}
ID = "01KAPQ5T0J8E6M3Y7VZ2R4W9X"


def _adapter_keys() -> list[Case]:
    values: Mapping[str, tuple[Any, ...]] = {
        "adapter": ("lora", "dora"),
        "lora_r": (8, 4),
        "lora_alpha": (16, 7),
        "lora_dropout": (0.05, 0.2),
        "target_modules": ("auto", ["q_proj", "v_proj"]),
        "learning_rate": (5e-3, 1e-3),
    }
    flat = [Case(f"training.{key}", some) for key, some in values.items() if key != "adapter"]
    named = [Case(f"training.adapters.red.{key}", some, also=RED, body=NAMED) for key, some in values.items()]
    return [Case("training.adapter", ("lora", "dora", "qlora")), *flat, *named]


CASES = [
    Case("dlm_id", (f"{ID}A", f"{ID}B"), place),
    Case("dlm_version", (15, 1), found, {"training.dpo": {"beta": 0.2}}),
    Case("base_model", ("BASE", "OTHER")),
    Case("system_prompt", (None, "You count boats.")),
    *_adapter_keys(),
    Case("training.sequence_len", (128, 64), body=LONG),
    Case("training.micro_batch_size", (2, 1)),
    Case("training.grad_accum", (1, 2)),
    Case("training.num_epochs", (2, 1)),
    Case("training.optimizer", ("adamw_torch", "adamw_bnb_8bit", "galore_adamw", "galore_adamw_8bit"), also=WIDE),
    Case("training.lr_scheduler", ("cosine", "linear", "constant")),
    Case("training.warmup_ratio", (0.1, 0.5)),
    Case("training.precision", ("fp32", "bf16")),
    Case("training.seed", (42, 1)),
    Case("training.adapters", (None, {"red": {}}, {"red": {}, "blue": {}})),
    Case("training.sources", (None, [{"path": "texts"}])),
    Case("training.sources[].path", ("texts", "texts/a.md"), found, TEXTS),
    Case("training.sources[].include", (["**/*"], ["*.md"]), found, TEXTS),
    Case("training.sources[].exclude", ([], ["inner"]), found, TEXTS),
    Case("training.sources[].max_bytes_per_file", (None, 20), found, TEXTS),
    Case("training.sources[].max_files", (None, 1), found, TEXTS),
    Case("training.sources_policy", ("permissive", "strict"), found, {"training.sources": [{"path": "../outside"}]}),
    Case("training.cache.enabled", (True, False), kept),
    Case("training.cache.max_bytes", (2**30, 1), kept),
    Case("training.cache.prune_older_than_days", (90, 30), kept),
    Case("training.cpt.schedule", ("auto", "dapt")),
    Case("training.cpt.schedule", ("auto", "sft"), body=PROSE),
    Case("training.cpt.embed_warmup_steps", (0, 1, 2), also={"training.cpt.schedule": "dapt"}),
    Case("training.gate.enabled", (True, False), gate, GATED, TWO),
    Case("training.gate.hidden_proj_dim", (64, 8), gate, GATE, TWO),
    Case("training.gate.steps", (200, 3), gate, GATE, TWO),
    Case("training.gate.lr", (3e-4, 0.1), gate, {**GATE, "training.gate.steps": 3}, TWO),
    Case("training.gate.cold_start_floor", (2, 3), gate, GATE, TWO),
    Case("training.gate.entropy_lambda", (0.01, 1.0), gate, {**GATE, "training.gate.steps": 3}, TWO),
    Case("training.preference.enabled", (True, False), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.preference.method", ("dpo", "orpo"), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.preference.loss_type", ("sigmoid", "hinge", "ipo"), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.preference.reference", ("base", "pre_adapter"), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.preference.hyperparams.beta", (0.1, 0.4), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.preference.hyperparams.alpha", (0.1, 0.9), also=ORPO, body=BODY + PAIRS),
    Case("training.preference.hyperparams.learning_rate", (5e-3, 1e-3), body=BODY + PAIRS),
    Case("training.preference.hyperparams.num_epochs", (1, 2), also=PREFERENCE, body=BODY + PAIRS),
    Case("training.audio.auto_resample", (False, True), found, {"base_model": "HEARING"}, HEARD),
    Case("export.default_temperature", (None, 2.0), answer),
    Case("export.default_top_p", (1.0, 0.01), answer, {"export.default_temperature": 2.0}),
    Case("export.default_quant", ("Q8_0", "Q6_K"), exported, {"base_model": "WIDE"}),
]
