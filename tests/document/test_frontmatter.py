"""Frontmatter that is right: scalars, defaults, positions, immutability, both spellings."""

from __future__ import annotations

import pydantic
import pytest
import yaml

from dlm_core.api import AdapterSettings, Span, TrainingSettings
from dlm_core.document import yaml_text
from dlm_core.document.settings import adapter_settings, training_settings
from dlm_core.document.yaml_text import read_yaml, scalar

ID = "01K9ABCDEFGHJKMNPQRSTVWXYZ"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 2e-4),
        ("5e-6", 5e-6),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("-3", -3),
        ("+3", 3),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-01-01", "2026-01-01"),
        ("-.inf", float("-inf")),
        ("e3", "e3"),
        ("0b1", "0b1"),
        ("=", "="),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize("loader", sorted({yaml_text.LOADER, yaml.SafeLoader}, key=str))
def test_both_loaders_give_the_same(monkeypatch, loader):
    monkeypatch.setattr(yaml_text, "LOADER", loader)
    tree = read_yaml("a: é 'x'\nb: [1, {c: \"2\"}, no]\nd: |\n  x\n   y\ne: >-\n  f\n  g\n'h': # c\n", 2)
    assert tree.problems == []
    assert tree.data == {"a": "é 'x'", "b": [1, {"c": "2"}, "no"], "d": "x\n y\n", "e": "f g", "h": None}
    assert tree.places["b", 1, "c"].key == Span(3, 9, 1)
    assert tree.places["b", 1, "c"].value == Span(3, 12, 3)
    assert tree.places["d",].key == Span(4, 1, 1)
    assert [p.code for p in read_yaml("a: &x 1", 2).problems] == ["DLM0108"]
    assert [(p.span.line, p.code) for p in read_yaml("a: 1\nb: 'x", 2).problems] == [(3, "DLM0107")]


def test_defaults_are_those_of_the_format(parse, doc):
    training = parse(doc()).config["training"]
    assert training.pop("preference")["hyperparams"] == {"beta": 0.1, "learning_rate": 5e-6, "num_epochs": 1}
    assert training == {
        "adapter": "lora",
        "lora_r": 8,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "target_modules": "auto",
        "learning_rate": 2e-4,
        "sequence_len": 2048,
        "micro_batch_size": "auto",
        "grad_accum": "auto",
        "num_epochs": 3,
        "optimizer": "adamw_torch",
        "lr_scheduler": "cosine",
        "warmup_ratio": 0.1,
        "precision": None,
        "seed": 42,
        "adapters": None,
        "sources": None,
        "sources_policy": "permissive",
        "cache": {"enabled": True, "max_bytes": 10 * 2**30, "prune_older_than_days": 90},
    }
    config = parse(doc()).config
    assert config["export"] == {"default_temperature": None, "default_top_p": None, "default_quant": "Q4_K_M"}
    assert (config["dlm_version"], config["system_prompt"]) == (15, None)


@pytest.mark.parametrize(
    "line",
    [
        "lora_r: 1",
        "lora_r: 256",
        "lora_dropout: 0",
        "lora_dropout: 0.5",
        "sequence_len: 64",
        "sequence_len: 32768",
        "micro_batch_size: 1",
        "grad_accum: auto",
        "learning_rate: 1",
        "warmup_ratio: 0.5",
        "precision: null",
        "seed: -1",
        "target_modules: [q_proj, v_proj]",
        "sources: []",
        "sources: [{path: ., include: [a], exclude: [b], max_bytes_per_file: 1, max_files: 1}]",
        "adapters: {a: {}, b_2: {lora_r: 4}}",
    ],
)
def test_allowed_values(parse, doc, line):
    key, _, value = line.partition(": ")
    document = parse(doc(front=f"training:\n  {line}\n"))
    assert document.wrote(f"training.{key}")
    if value.isdigit():
        assert document.config["training"][key] == int(value)


@pytest.mark.parametrize("base", ["tiny", "qwen3-0.6b", "hf:org/name", "hf:org/na.me@v1.0", "./b", "/b", "~/b", "../b"])
def test_allowed_bases(parse, base):
    assert parse(f"---\ndlm_id: {ID}\nbase_model: {base}\n---\n").base_model == base


def test_positions_of_written_keys(parse, doc):
    document = parse(doc(front="training:\n  cache: {enabled: false}\n  sources:\n  - path: a\n"))
    assert document.where("training.cache.enabled") == Span(6, 11, 7)
    assert document.where("training.sources.0.path") == Span(8, 5, 4)
    assert document.where("training.lora_r") == Span(5, 1, 8)
    assert document.where("nothing.here") == Span(1)
    assert document.where_value("training.sources.0.path").col > document.where("training.sources.0.path").col
    assert document.where_value("nothing.here") == Span(1)
    assert document.wrote("training.cache.enabled")
    assert not document.wrote("training.lora_r")


def test_values_do_not_change_once_read(parse, doc):
    front = parse(doc(front="training:\n  adapters: {a: {}}\n  target_modules: auto\n")).frontmatter
    with pytest.raises(pydantic.ValidationError):
        front.training.lora_r = 3
    with pytest.raises(TypeError):
        front.training.adapters["b"] = None
    with pytest.raises(pydantic.ValidationError):
        front.training.adapters["a"].lora_r = 3


TOML = """+++
# a comment with a = sign
dlm_id = "01K9ABCDEFGHJKMNPQRSTVWXYZ"
dlm_version = 15
base_model = 'tiny'
system_prompt = \"\"\"
two
"lines" \\"\"\" x\"\"\"
export.default_temperature = 0.7
[training]
learning_rate = 2e-4
"lora_r" = 4 # four
target_modules = [ # c
  "q]", '''v'''
]
cache = { enabled = false, max_bytes = 5 }
[[training.sources]]
path = "a"
[[ training . sources ]]
path = "b"
exclude = []
+++
Hello.
"""


def test_toml_is_an_equal_spelling(parse):
    document = parse(TOML)
    assert document.system_prompt == 'two\n"lines" """ x'
    assert document.config["training"]["target_modules"] == ["q]", "v"]
    assert document.config["training"]["cache"]["max_bytes"] == 5
    assert [source["path"] for source in document.config["training"]["sources"]] == ["a", "b"]
    assert document.where("export.default_temperature") == Span(9, 8, 19)
    assert document.where("training") == Span(10, 2, 8)
    assert document.where("training.lora_r") == Span(12, 1, 8)
    assert document.where("training.target_modules") == Span(13, 1, 14)
    assert document.where("training.target_modules.1") == Span(14, 9, 7)
    assert document.where("training.cache.max_bytes") == Span(16, 28, 9)
    assert document.where("training.sources.0.path") == Span(18, 1, 4)
    assert document.where("training.sources.1.exclude") == Span(21, 1, 7)
    assert document.sections[0].content_line == 23


def test_one_adapter_without_a_table(parse, doc):
    document = parse(doc(front="training: {lora_r: 4, seed: 7, target_modules: [q_proj]}\n"))
    assert adapter_settings(document) == {"default": AdapterSettings(lora_r=4, target_modules=("q_proj",))}
    assert training_settings(document) == TrainingSettings(seed=7)


def test_named_adapters_fall_back_to_the_defaults(parse, doc):
    document = parse(doc(front="training:\n  num_epochs: 9\n  adapters: {b: {adapter: dora}, a: {}}\n"))
    assert adapter_settings(document) == {"b": AdapterSettings(adapter="dora"), "a": AdapterSettings()}
    assert list(adapter_settings(document)) == ["b", "a"]
    assert training_settings(document).num_epochs == 9


def test_flat_settings_at_their_defaults_may_stand_beside_adapters(parse, doc):
    assert parse(doc(front="training: {lora_r: 8, learning_rate: 2e-4, adapters: {a: {}}}\n"))
