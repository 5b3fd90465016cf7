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
    assert (code, line) == ("DLM0303", 6)
    assert "rude (dlm-rude 1), which failed" in hint
    assert plugins.find("rude").why == "ValueError: `training.lora_r` belongs to core"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("base_model", "`base_model` is a key of core and not a block"),
        ("base_model.x", "`base_model` is a key of core and not a block"),
        ("training.adapters.mine", "`training.adapters` is a key of core and not a block"),
        ("training.seed", "`training.seed` is a key of core and not a block"),
        ("Training.x", "'Training.x' is not a dotted key"),
        ("a..b", "'a..b' is not a dotted key"),
        ("", "Made.path is '', not a name"),
    ],
)
def test_a_block_at_a_place_of_core_fails_its_plugin(doc, path, reason):
    plugins = load(rude=[block(path, model(x=1))], good=[block("fine", model(x=1))])
    assert read(doc, plugins, "fine: {x: 2}\n").config["fine"] == {"x": 2}
    assert (plugins.find("rude").state, plugins.find("good").state) == ("failed", "active")
    assert reason in plugins.find("rude").why


def test_core_s_blocks_are_those_that_many_plugins_may_add_to():
    from dlm_core.document.compose import block_at
    from dlm_core.document.schema import Frontmatter
    from dlm_core.plugins.facade import CORE_BLOCKS

    def paths(root, at=""):
        for name in root.model_fields:
            if below := block_at(root, [name]):
                yield at + name
                yield from paths(below, f"{at}{name}.")

    assert set(paths(Frontmatter)) == CORE_BLOCKS


def test_the_check_of_a_block_without_a_place_is_not_asked(doc):
    crash = lambda doc: 1 / 0  # noqa: E731
    plugins = load(
        rude=[block("training", model(lora_r=1), crash)],
        bad=[block("bad", ValueError("x"), crash)],
        lost=[block("no.where", model(x=1), crash)],
    )
    assert read(doc, plugins)


def test_a_block_inside_one_that_nobody_provides_is_named(doc):
    plugins = load(lost=[block("training.nest.egg", model(x=1))])
    assert read(doc, plugins)
    ((code, line, hint),) = refused(doc, plugins, "training:\n  nest: {egg: {x: 2}}\n")
    assert (code, line, plugins.find("lost").state) == ("DLM0301", 6, "active")
    assert "`training.nest.egg` of lost (dlm-lost 1) lies in `training.nest`, which no plugin at work" in hint
    plugins = load(lost=[block("training.nest.egg", model(x=1))], tree=[block("training.nest", model(y=1))])
    assert read(doc, plugins, "training: {nest: {egg: {x: 2}}}\n").config["training"]["nest"]["egg"] == {"x": 2}


def test_plugins_add_different_keys_to_one_block_of_core(doc):
    one, two = model("One", x=1), model("Two", y=1)
    plugins = load(one=[block("export", one)], two=[block("export", two)])
    document = read(doc, plugins, "export: {x: 5, y: 6, default_top_p: 0.5}\n")
    assert (document.block(one).x, document.block(two).y) == (5, 6)
    assert document.config["export"] == {"default_temperature": None, "default_top_p": 0.5, "x": 5, "y": 6}


def test_only_the_key_that_two_plugins_claim_belongs_to_neither(doc):
    one, two = model("One", q="a", r=1), model("Two", q=7, s=1)
    plugins = load(one=[block("export", one)], two=[block("export", two)], good=[block("fine", model(x=1))])
    document = read(doc, plugins, "export: {r: 2, s: 3}\nfine: {x: 2}\n")
    assert "q" not in document.config["export"]
    assert (document.block(one).q, document.block(one).r) == ("a", 2)
    assert (document.block(two).q, document.block(two).s) == (7, 3)
    ((code, line, hint),) = refused(doc, plugins, "export:\n  q: b\n")
    assert (code, line) == ("DLM0304", 6)
    assert "claimed by one (dlm-one 1) and two (dlm-two 1)" in hint
    assert [plugin.state for plugin in plugins.all] == ["active"] * 3
    found = refused(doc, plugins, "export:\n  q: b\n  r: x\n")
    assert {(code, line) for code, line, _ in found} == {("DLM0104", 7), ("DLM0304", 6)}


def test_without_one_of_the_two_the_key_is_the_other_s(doc):
    two = model("Two", q=7)
    assert read(doc, load(two=[block("export", two)]), "export: {q: 8}\n").block(two).q == 8


def test_a_block_at_another_plugin_s_key(doc):
    one = model("One", q="a", r=1)
    plugins = load(one=[block("export", one)], two=[block("export.q", model(x=1))])
    assert read(doc, plugins, "export: {r: 4}\n").block(one) == one(q="a", r=4)
    ((code, line, hint),) = refused(doc, plugins, "export:\n  q: b\n")
    assert (code, line) == ("DLM0304", 6)
    assert "one (dlm-one 1) and two (dlm-two 1)" in hint


def test_a_block_inside_another_plugin_s_block_at_a_key_of_it(doc):
    outer = model("Outer", deep=1, wide=2)
    plugins = load(one=[block("new", outer)], two=[block("new.deep", model(x=1))])
    assert read(doc, plugins, "new: {wide: 3}\n").block(outer).wide == 3
    ((code, line, _),) = refused(doc, plugins, "new:\n  deep: 4\n")
    assert (code, line) == ("DLM0304", 6)


def test_a_block_inside_the_block_of_a_plugin_that_is_not_there(doc):
    plugins = load(two=[block("new.deep", model(x=1))])
    assert read(doc, plugins)
    assert plugins.find("two").state == "active"
    assert refused(doc, plugins, "new: {deep: {x: 1}}\n")[0][0] == "DLM0301"


def test_a_path_that_two_plugins_claim_belongs_to_neither(doc):
    plugins = load(
        one=[block("training.new", model(x=1))],
        two=[block("training.new", model(x=1))],
        three=[block("training.new.deep", model(y=1))],
    )
    assert read(doc, plugins)
    ((code, line, hint),) = refused(doc, plugins, "training:\n  new: {x: 1, deep: {y: 2}}\n")
    assert (code, line) == ("DLM0304", 6)
    assert "one (dlm-one 1) and two (dlm-two 1)" in hint


def test_a_plugin_that_gives_a_block_twice_fails(doc):
    plugins = load(one=[block("new", model(x=1)), block("new", model(y=1))])
    assert read(doc, plugins, "new: {x: 2}\n").config["new"] == {"x": 2}
    assert plugins.find("one").why == "RuntimeError: it gives the config block 'new' twice"


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
