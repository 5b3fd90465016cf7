"""The page of hooks holds every hook with its exact signature, and its examples are plugins that work."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from dlm_core.api import Event
from dlm_core.hookspecs import DlmSpec
from dlm_core.plugins import Plugins

from .pages import blocks, read
from .test_pages import sections

PAGE = sections(read("docs/reference/hooks.md"), level=2)
HOOKS = [name for name in vars(DlmSpec) if name.startswith("dlm_")]


def example(hook: str) -> ModuleType:
    """The example of a hook as a module."""
    module = ModuleType(f"example_{hook}")
    code = next(block for block in blocks(PAGE[hook], "python") if "@hookimpl" in block)
    exec(compile(code, f"docs/reference/hooks.md ({hook})", "exec"), vars(module))
    return module


@pytest.fixture
def plugins() -> Plugins:
    return Plugins()


def test_every_hook_has_a_section_and_no_other() -> None:
    assert [name for name in PAGE if name.startswith("dlm_")] == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_shown_with_its_signature(hook: str) -> None:
    signature = f"def {hook}{inspect.signature(getattr(DlmSpec, hook))}: ...".replace("'", "")
    assert blocks(PAGE[hook], "python")[0].strip() == signature


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_says_when_what_and_which_errors(hook: str) -> None:
    assert all(word in PAGE[hook] for word in ("**Called**", "**Return**", "**Errors:**"))


def test_every_hook_that_a_plugin_opens_is_described_like_those_of_core() -> None:
    described = sections(PAGE["Hooks of other plugins"], level=3)
    opened = {
        name: function
        for owned in Plugins.load().collect("dlm_hookspecs", type)
        for name, function in vars(owned.value).items()
        if name.startswith("dlm_")
    }
    assert {name for name in described if name.startswith("dlm_")} >= set(opened)
    for name, function in opened.items():
        signature = f"def {name}{inspect.signature(function)}: ...".replace("'", "")
        assert blocks(described[name], "python")[0].strip() == signature
        assert all(word in described[name] for word in ("**Called**", "**Return**", "**Errors:**"))


def test_the_kind_of_media_is_a_stranger_s_and_all_it_can_do_is_told() -> None:
    from dlm_core.api import MediaKind

    stranger = read("tests/authors/foreign/strokes.py")
    shown = next(block for block in blocks(PAGE["dlm_media_kinds"], "python") if "@hookimpl" in block)
    assert stranger[stranger.index("class Strokes") : stranger.index("class Drawing(")].strip() in shown
    methods = [name for name in vars(MediaKind) if not name.startswith("_")]
    assert [name for name in methods if f"`{name}" not in PAGE["dlm_media_kinds"]] == []


def test_all_that_a_modality_can_do_is_told() -> None:
    modalities = pytest.importorskip("dlm_hf.modalities")
    described = sections(PAGE["Hooks of other plugins"], level=3)["dlm_hf_modalities"]
    methods = [name for name in vars(modalities.Modality) if not name.startswith("_")]
    assert [name for name in methods if f"| `{name}(" not in described] == []


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook not in ("dlm_event", "dlm_hookspecs")])
def test_the_example_contributes_something(hook: str, plugins: Plugins) -> None:
    plugin = plugins.register(example(hook), "example")
    mine = [name for registry in plugins.registries() for name in registry]
    assert plugin.state == "active", plugin.why
    assert len(mine) == 1


def test_the_example_with_further_hooks_opens_them(plugins: Plugins) -> None:
    from dlm_core import hookimpl

    plugins.register(example("dlm_hookspecs"), "example")
    user = ModuleType("user")
    user.dlm_example_words = hookimpl(lambda: ["a word"])  # type: ignore[attr-defined]
    user.dlm_example_words.__name__ = "dlm_example_words"
    assert plugins.register(user, "user").hooks == ("dlm_example_words",)


def test_the_example_observer_hears_of_a_commit(plugins: Plugins, capsys: pytest.CaptureFixture[str]) -> None:
    plugins.register(example("dlm_event"), "example")
    plugins.emit(Event("commit", {"version": 3, "adapter": "/store/x"}))
    assert capsys.readouterr().out == "version 3 is in /store/x\n"


def test_the_example_section_type_makes_rows(plugins: Plugins) -> None:
    from dlm_core.api import Section, Span

    plugins.register(example("dlm_section_types"), "example")
    section = Section("capitals", "Varn = Ost\nLorn = Mill", Span(4), "0" * 16, content_line=5)
    rows = list(plugins.section_types["capitals"].rows(section, None))  # type: ignore[arg-type]
    assert [(row.question[-1].text, row.answer, row.span.line) for row in rows if row.question] == [
        ("What is the capital of Varn?", "Ost", 5),
        ("What is the capital of Lorn?", "Mill", 6),
    ]


def test_the_example_reader_reads(plugins: Plugins) -> None:
    plugins.register(example("dlm_source_readers"), "example")
    read_file = plugins.source_readers["subtitles"].read
    found = list(read_file(b"1\n00:00:01 --> 00:00:02\nGood morning.\n", "a.srt"))
    assert found == [("prose", "# source: a.srt\n\nGood morning.", {})]


def test_the_entry_point_group_of_the_page_is_the_one_that_is_searched() -> None:
    from dlm_core.plugins.finder import GROUP

    assert re.search(rf"^\[project\.entry-points\.{GROUP}\]$", read("docs/reference/hooks.md"), re.MULTILINE)
