"""The registry entry: light to import, and true about the files it names."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dlm_tiny import __version__
from dlm_tiny.plugin import dlm_base_models

FOLDER = Path(__file__).resolve().parent.parent


def test_one_base_named_tiny_with_a_folder_that_exists() -> None:
    (base,) = dlm_base_models()
    assert base.key == "tiny"
    assert Path(base.location).is_absolute()
    assert (Path(base.location) / "model.safetensors").is_file()


def test_size_and_context_are_those_of_the_files() -> None:
    (base,) = dlm_base_models()
    folder = Path(base.location)
    assert base.size == sum(path.stat().st_size for path in folder.iterdir())
    assert base.size <= 12_000_000
    assert base.context == json.loads((folder / "config.json").read_text())["max_position_embeddings"]


def test_recommended_settings_are_flat_keys_of_the_training_block() -> None:
    (base,) = dlm_base_models()
    assert all(key.startswith("training.") for key in base.recommended)
    assert base.recommended["training.lora_alpha"] == 2 * base.recommended["training.lora_r"]
    assert 64 <= base.recommended["training.sequence_len"] <= base.context


def test_declaring_the_base_imports_no_heavy_library() -> None:
    code = (
        "import sys, dlm_tiny.plugin as p; p.dlm_base_models(); "
        "print([m for m in ('torch', 'numpy', 'transformers', 'safetensors', 'pydantic', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_entry_point_and_version_agree_with_the_package() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["dlm"] == {"tiny": "dlm_tiny.plugin"}
    assert project["version"] == __version__
    assert project["dependencies"] == ["dlm-core>=0.1,<0.2"]


def test_installed_entry_point_loads() -> None:
    found = [point for point in importlib.metadata.entry_points(group="dlm") if point.name == "tiny"]
    if not found:
        pytest.skip("dlm-tiny is on the path but not installed")
    assert found[0].load().dlm_base_models()[0].key == "tiny"
