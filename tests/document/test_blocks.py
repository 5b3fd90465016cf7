"""Config blocks of plugins: mounted, mixed in, overlapping, broken, disabled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pydantic
import pytest
from pydantic import ConfigDict, create_model

from dlm_core import hookimpl
from dlm_core.api import ConfigBlock, DocumentError, PluginMissingError, Problem, Span
from dlm_core.document import parse_document
from dlm_core.plugins import Plugins


def model(name="Made", **fields):
    config = ConfigDict(extra="forbid", frozen=True)
    return create_model(name, __config__=config, **{key: (type(value), value) for key, value in fields.items()})


def block(at, made, check=lambda doc: ()):
    class Made(ConfigBlock):
        path = at

        def model(self):
            if isinstance(made, Exception):
                raise made
            return made

        def check(self, doc):
            return check(doc)

    return Made()


class Blocks:
    def __init__(self, blocks):
        self.blocks = blocks

    @hookimpl
    def dlm_config_blocks(self):
        return self.blocks


def load(**by_plugin):
    plugins = Plugins()
    for name, blocks in by_plugin.items():
        plugins.register(Blocks(blocks), name, f"dlm-{name}", "1")
    return plugins


def read(doc, plugins, front=""):
    return parse_document(doc("", front).encode(), Path("a.dlm"), plugins)


def refused(doc, plugins, front):
    with pytest.raises(DocumentError) as caught:
        read(doc, plugins, front)
    return [(p.code, p.span.line, p.hint or "") for p in caught.value.problems]


def test_a_new_block_and_keys_in_blocks_of_core(doc):
    first, second, third = model(x=1), model("Second", y=2), model("Third", z=3)
    plugins = load(a=[block("training.new", first), block("export", second)], b=[block("training.new.deep", third)])
    document = read(doc, plugins, "training: {new: {x: 5, deep: {z: 7}}}\nexport: {y: 6, default_top_p: 0.5}\n")
    assert document.config["training"]["new"] == {"x": 5, "deep": {"z": 7}}
    assert document.config["export"] == {"default_temperature": None, "default_top_p": 0.5, "y": 6}
    assert document.block(third).z == 7
    assert document.block(second).y == 6
    assert read(doc, plugins).config["training"]["new"] == {"x": 1, "deep": {"z": 3}}


def test_a_top_level_block(doc):
    assert read(doc, load(a=[block("stats", model(x=1))]), "stats: {x: 2}\n").config["stats"] == {"x": 2}


def test_a_key_of_core_stays_with_core(doc):
    plugins = load(rude=[block("training", model(lora_r=1, mine=2))])
    assert read(doc, plugins, "training: {lora_r: 9}\n").config["training"]["lora_r"] == 9
    ((code, line, hint),) = refused(doc, plugins, "training:\n  mine: 3\n")
    assert (code, line) == ("DLM0304", 6)
    assert "`training.lora_r` belongs to core" in hint
    assert "rude (dlm-rude 1)" in hint


def test_the_check_of_a_block_without_a_place_is_not_asked(doc):
    crash = lambda doc: 1 / 0  # noqa: E731
    plugins = load(
        rude=[block("training", model(lora_r=1), crash)],
        bad=[block("bad", ValueError("x"), crash)],
        lost=[block("no.where", model(x=1), crash)],
    )
    assert read(doc, plugins)


def test_a_key_that_two_plugins_claim_belongs_to_neither(doc):
    plugins = load(
        one=[block("export", model(q="a"))], two=[block("export.q", model(x=1))], good=[block("fine", model(x=1))]
    )
    assert read(doc, plugins, "fine: {x: 2}\n").config["fine"] == {"x": 2}
    ((code, line, hint),) = refused(doc, plugins, "export:\n  q: b\n")
    assert (code, line) == ("DLM0304", 6)
    assert "one (dlm-one 1)" in hint
    assert "two (dlm-two 1)" in hint


def test_a_path_that_two_plugins_claim_belongs_to_neither(doc):
    plugins = load(one=[block("new", model(x=1))], two=[block("new", model(x=1))])
    assert read(doc, plugins)
    ((code, _, hint),) = refused(doc, plugins, "new: {x: 1}\n")
    assert code == "DLM0304"
    assert "one (dlm-one 1) and two (dlm-two 1)" in hint


def test_keys_mixed_into_one_block_of_core_by_two_plugins(doc):
    plugins = load(one=[block("export", model(x=1))], two=[block("export", model(y=1))])
    ((code, _, hint),) = refused(doc, plugins, "export: {x: 1}\n")
    assert code == "DLM0304"
    assert "one (dlm-one 1) and two (dlm-two 1)" in hint


@pytest.mark.parametrize("made", [ImportError("no numpy"), model(x=1).__class__, 7])
def test_a_block_whose_model_fails_costs_only_its_own_key(doc, made):
    plugins = load(bad=[block("training.bad", made)])
    assert read(doc, plugins)
    ((code, line, hint),) = refused(doc, plugins, "training:\n  bad: {x: 1}\n")
    assert (code, line) == ("DLM0303", 6)
    assert "bad (dlm-bad 1), which failed" in hint


def test_a_required_field_is_a_failure(doc):
    class Needs(pydantic.BaseModel):
        x: int

    ((code, _, hint),) = refused(doc, load(bad=[block("bad", Needs)]), "bad: {x: 1}\n")
    assert (code, "failed" in hint) == ("DLM0303", True)


def test_a_block_into_nothing(doc):
    plugins = load(lost=[block("training.no.where", model(x=1)), block("base_model.x", model(x=1))])
    assert read(doc, plugins)
    assert refused(doc, plugins, "training: {no: {where: {x: 1}}}\n")[0][0] in ("DLM0101", "DLM0304")


def test_checks_run_once_all_is_valid(doc):
    seen = []

    def check(document):
        seen.append(document.config["new"]["x"])
        yield Problem(document.where("new.x"), "not so", "so")
        yield Problem(Span(1), "hm", severity="warning")

    plugins = load(a=[block("new", model(x=1), check)])
    assert refused(doc, plugins, "new: {x: 3}\n") == [("DLM0116", 1, ""), ("DLM0116", 5, "so")]
    assert refused(doc, plugins, "new: {x: y}\n")[0][0] == "DLM0104"
    assert seen == [3]


def test_a_warning_of_a_check_does_not_refuse(doc):
    plugins = load(a=[block("new", model(x=1), lambda doc: [Problem(Span(2), "hm", severity="warning", code="X1")])])
    assert [w.code for w in read(doc, plugins).warnings] == ["X1"]


def test_a_check_that_crashes_is_named(doc):
    plugins = load(a=[block("new", model(x=1), lambda doc: 1 / 0)])
    with pytest.raises(PluginMissingError, match=r"`new` of plugin a \(dlm-a 1\) failed: ZeroDivisionError"):
        read(doc, plugins)


def test_strictness_holds_for_blocks_of_plugins(doc):
    plugins = load(a=[block("new", model(x=1, t=(1,)))])
    assert read(doc, plugins, "new: {t: [1, 2]}\n").config["new"]["t"] == [1, 2]
    assert refused(doc, plugins, "new: {x: '1'}\n")[0][:2] == ("DLM0104", 5)


def test_importing_the_package_costs_nothing_heavy():
    code = "import sys, dlm_core.document, dlm_core.diagnostics, dlm_core.builtin.sections as s\n"
    code += "print([m for m in ('yaml', 'pydantic', 'tomli', 'torch', 'ulid') if m in sys.modules])"
    env = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert out.stdout.strip() == "[]"
