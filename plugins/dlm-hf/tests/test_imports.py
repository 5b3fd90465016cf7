"""Lightness of the plugin module, and what the training imports leave out."""

from __future__ import annotations

import json
import subprocess
import sys


def modules_after(code: str) -> set[str]:
    """Names in `sys.modules`, without the blocked ones, after running `code` in a fresh interpreter."""
    tail = "\nimport json, sys\nprint(json.dumps([name for name, module in sys.modules.items() if module is not None]))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"torch", "transformers", "peft", "numpy", "tokenizers", "pydantic", "safetensors", "jinja2", "huggingface_hub"}


def test_plugin_module_and_its_hooks_are_light() -> None:
    loaded = modules_after(
        "from dlm_hf import plugin\n"
        "plugin.dlm_base_models(); plugin.dlm_engines(None); plugin.dlm_trainers(None); plugin.dlm_exporters()"
    )
    assert "dlm_hf.engine" in loaded
    assert not loaded & HEAVY


def test_locating_and_measuring_import_no_torch(base_folder: str) -> None:
    loaded = modules_after(
        "from dlm_hf.engine import HfEngine\n"
        "from dlm_core.api import BaseModel, Span, text_row\n"
        f"base = HfEngine().locate(BaseModel('x', {base_folder!r}), fetch=False)\n"
        "HfEngine().measure(base, [text_row('one two', Span(1))], None, 64)"
    )
    assert "tokenizers" in loaded
    assert not loaded & {"torch", "transformers", "peft", "numpy"}


def test_training_imports_leave_the_unused_out() -> None:
    loaded = modules_after(
        "from dlm_hf import imports; imports.prepare()\n"
        "from transformers import LlamaForCausalLM\nimport peft\nimport os\n"
        "assert os.environ['HF_HUB_DISABLE_TELEMETRY'] == '1'\n"
        "from huggingface_hub import constants\n"
        "assert constants.HF_HUB_DISABLE_TELEMETRY and constants.HF_HUB_OFFLINE"
    )
    assert "peft" in loaded
    unwanted = {"torch._inductor.compile_fx", "bitsandbytes", "scipy", "sklearn", "datasets", "trl", "pandas"}
    assert not loaded & unwanted
    assert len(loaded) < 3000  # 2,748 with torch 2.13, transformers 5.23 and peft 0.21.2


def test_online_ends_offline_again() -> None:
    modules_after(
        "from dlm_hf import imports\nfrom huggingface_hub import constants\n"
        "with imports.online():\n    assert not constants.is_offline_mode()\n"
        "assert constants.is_offline_mode()"
    )
