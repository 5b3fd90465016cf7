"""The plugin's declarations, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pydantic
import pytest

from dlm_core.api import ConfigBlock, Exporter
from dlm_gguf import plugin
from dlm_gguf.quants import QUANTS


def test_the_entry_point_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import dlm_gguf.plugin; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['dlm_core', 'dlm_gguf', 'pluggy']"


def test_it_declares_two_exporters_and_one_key() -> None:
    exporters, blocks = plugin.dlm_exporters(), plugin.dlm_config_blocks()
    assert [type(e).__mro__[1] for e in exporters] == [Exporter, Exporter]
    assert [e.name for e in exporters] == ["gguf", "gguf-lora"]
    assert [(type(b).__mro__[1], b.path) for b in blocks] == [(ConfigBlock, "export")]
    assert set(plugin.QUANTS) == set(QUANTS)


def test_the_key_has_a_default_and_refuses_others() -> None:
    model = plugin.ExportBlock().model()
    assert model().model_dump() == {"default_quant": "Q4_K_M"}
    assert model(default_quant="Q8_0").model_dump() == {"default_quant": "Q8_0"}
    with pytest.raises(pydantic.ValidationError):
        model(default_quant="Q3_K")
    with pytest.raises(pydantic.ValidationError):
        model(quant="Q8_0")
