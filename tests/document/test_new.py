"""Fresh documents read back as what they were made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlm_core.document.new import new_document


def test_a_fresh_document(parse):
    text = new_document(
        "tiny",
        {
            "system_prompt": "Be kind.\nBe brief.\n",
            "training.lora_r": 16,
            "training.learning_rate": 5e-6,
            "training.cache.enabled": False,
        },
        "\n::instruction::\n### Q\nq\n### A\na\n",
        {"training": "how to train", "training.lora_r": "more learns more"},
    )
    head, _, rest = text.partition("dlm_version")
    assert text.startswith("---\ndlm_id: ")
    assert len(head) == len("---\ndlm_id: \n") + 26
    assert rest == (
        ": 15\nbase_model: tiny\nsystem_prompt: |\n  Be kind.\n  Be brief.\ntraining:  # how to train\n"
        "  lora_r: 16  # more learns more\n  learning_rate: 5e-06\n  cache:\n    enabled: false\n---\n\n"
        "::instruction::\n### Q\nq\n### A\na\n"
    )
    document = parse(text)
    assert document.warnings == ()
    assert document.config["training"]["learning_rate"] == 5e-6
    assert [s.type for s in document.sections] == ["instruction"]


def test_two_documents_have_two_ids():
    assert new_document("tiny", {}, "x")[:40] != new_document("tiny", {}, "x")[:40]


@pytest.mark.parametrize("base", ["tiny", "hf:org/name@main", "./a b", "/x: y", "~/é#"])
def test_bases_are_kept(parse, base):
    assert parse(new_document(base, {}, "x")).base_model == base


def test_structures(parse):
    settings = {
        "training.sources": [{"path": "src", "include": ["**/*.py"]}],
        "training.adapters": {"tone": {"lora_r": 4, "target_modules": ["q_proj", "no"]}, "facts": {}},
        "export.default_top_p": None,
    }
    config = parse(new_document("tiny", settings, "x")).config
    assert config["training"]["sources"][0]["include"] == ["**/*.py"]
    assert config["training"]["adapters"]["tone"]["target_modules"] == ["q_proj", "no"]
    assert list(config["training"]["adapters"]) == ["tone", "facts"]


PRINTABLE = st.characters(
    exclude_categories=["Cs"],
    exclude_characters=[*map(chr, range(9)), *map(chr, range(11, 32)), *map(chr, range(127, 160))],
)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(" \n\t:#'\"-|>{}[]&*!%@`\\é\u2028\ufeff") | PRINTABLE, max_size=20))
def test_any_text_survives(parse, text):
    assert parse(new_document("tiny", {"system_prompt": text}, "x")).system_prompt == text
