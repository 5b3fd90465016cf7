"""No bytes give anything but a document or its problems, and none of them takes long."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlm_core.api import Document, DocumentError
from dlm_core.builtin.plugin import dlm_explanations
from dlm_core.document import build_rows, parse_document, yaml_text

#: Every code that core knows.
CODES = {explanation.code for explanation in dlm_explanations()}
HEAD = "---\ndlm_id: 01K9ABCDEFGHJKMNPQRSTVWXYZ\ndlm_version: 15\nbase_model: tiny\n"
TOML = '+++\ndlm_id = "01K9ABCDEFGHJKMNPQRSTVWXYZ"\nbase_model = "tiny"\n'
WORDS = [
    "---\n",
    "+++\n",
    "\n",
    "\r\n",
    "\r",
    " ",
    "  ",
    "\t",
    ": ",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "&a ",
    "*a",
    "!!x ",
    "|",
    ">",
    "'",
    '"',
    '"""',
    "'''",
    "\\",
    "<<",
    "%",
    "@",
    "...",
    "::",
    "::prose::",
    "::instruction::",
    '::picture path="a"::',
    "::picky::\n",
    "::break::\n",
    "```\n",
    "~~~\n",
    "### Q\n",
    "### A\n",
    "### Q !probe\n",
    "### Q !exam",
    "<!-- ",
    " -->",
    "dlm-auto-synth: ",
    'source="x"',
    "training",
    "adapters",
    "lora_r",
    "dpo",
    "sources",
    "path",
    "export",
    "dlm_version",
    "1",
    "2e-4",
    "0x",
    ".inf",
    "999999999999999999999999999999",
    "null",
    "true",
    "2026-01-01",
    "12:00:00",
    "a",
    "é",
    "\u2028",
    "\x85",
    "\x00",
    "\x07",
    "\ufeff",
    "\u202e",
    "=",
    ".",
    "[[",
    "]]",
    "training:\n  ",
    "[training]\n",
]


def check(data: bytes, plugins) -> None:
    try:
        document = parse_document(data, Path("a.dlm"), plugins)
        assert isinstance(document, Document)
        build_rows(document, [s for s in document.sections if s.content not in ("refuse", "crash")], plugins)
    except DocumentError as refused:
        lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert refused.problems  # noqa: PT017
        for problem in refused.problems:
            assert problem.code in CODES
            assert 1 <= problem.span.line <= len(lines)
            assert 1 <= problem.span.col <= len(lines[problem.span.line - 1]) + 1
            assert problem.span.width >= 1
            assert len(problem.message) < 1000


pieces = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=30).map("".join)
LIMITS = settings(max_examples=200, deadline=None)


@LIMITS
@given(st.binary(max_size=200))
def test_any_bytes(plugins, data):
    check(data, plugins)


@LIMITS
@given(pieces)
def test_any_yaml_frontmatter(plugins, text):
    check(f"{HEAD}{text}\n---\nHello.\n".encode(errors="replace"), plugins)


@LIMITS
@given(pieces)
def test_any_toml_frontmatter(plugins, text):
    check(f"{TOML}{text}\n+++\nHello.\n".encode(errors="replace"), plugins)


@LIMITS
@given(pieces)
def test_any_body(plugins, text):
    check(f"{HEAD}---\n{text}".encode(errors="replace"), plugins)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["auto", "lora", "x", "", "."]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "a", "lora_r"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ["adapter", "lora_r", "target_modules", "adapters", "sources", "cache", "preference", "dpo", "seed", "gate"]


@LIMITS
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4), st.integers(-1, 16))
@example({"adapters": {"a": {"lora_r": 0}, "B": None}}, 15)
def test_any_values(plugins, training, version):
    import json

    text = HEAD.replace("15", str(version)) + "training: " + json.dumps(training) + "\n---\nHello.\n"
    check(text.replace("Infinity", ".inf").replace("NaN", ".nan").encode(), plugins)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=3), st.integers(0, 10_000), st.integers(0, 5))
def test_any_damage_to_a_good_document(plugins, noise, place, cut):
    good = (
        HEAD + "system_prompt: |\n  be kind\ntraining:\n  lora_r: 4\n  adapters: {a: {lora_alpha: 3}}\n---\nText\n"
        '::instruction#a::\n<!-- dlm-auto-harvest: source="x" -->\n### Q\nq\n### A\na\n```\ncode\n```\n'
    ).encode()
    at = place % len(good)
    check(good[:at] + noise + good[at + cut :], plugins)


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


ANCHORS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
MERGES = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
HOSTILE = {
    "billion laughs": HEAD + "a0: &a0 x\n" + ANCHORS + "---\n",
    "merge bomb": HEAD + "a0: &a0 {x: 1}\n" + MERGES + "---\n",
    "deep flow": HEAD + "x: " + "[" * 100_000 + "\n---\n",
    "deep block": HEAD + "".join(" " * n + "x:\n" for n in range(1200)) + "---\n",
    "deep sequence": HEAD + "x:\n" + "- " * 100_000 + "a\n---\n",
    "many keys": HEAD + "".join(f"k{n}: 1\n" for n in range(19_000)) + "---\n",
    "many duplicates": HEAD + "k: 1\n" * 19_000 + "---\n",
    "long key": HEAD + "k" * 900_000 + ": 1\n---\n",
    "long number": HEAD + "k: " + "9" * 900_000 + "\n---\n",
    "long text": HEAD + "system_prompt: '" + "a" * 900_000 + "\n---\n",
    "many control characters": HEAD + "\x01" * 900_000 + "\n---\n",
    "python object": HEAD + "x: !!python/object/apply:os.system ['true']\n---\n",
    "toml deep keys": TOML + ".".join("a" * 100_000) + " = 1\n+++\n",
    "toml deep arrays": TOML + "x = " + "[" * 100_000 + "\n+++\n",
    "toml deep tables": TOML + "x = " + "{a=" * 5_000 + "1" + "}" * 5_000 + "\n+++\n",
    "toml long number": TOML + "x = " + "9" * 100_000 + "\n+++\n",
    "toml many keys": TOML + "".join(f"k{n} = 1\n" for n in range(19_000)) + "+++\n",
    "fences": HEAD + "---\n" + "::x::\n" * 20_000,
    "lookalikes": HEAD + "---\n" + ":: x ::\n" * 20_000,
    "open quotes": HEAD + "---\n::picture " + 'a="' * 100_000 + "\n",
    "attributes": HEAD + "---\n::picture" + ' a="b"' * 2_000 + "::\n",
    "almost attributes": HEAD + "---\n" + ("::picture" + ' a="b"' * 2_000 + " :x:\n") * 20,
    "backticks": HEAD + "---\n" + "```\n````\n" * 50_000,
    "long backticks": HEAD + "---\n" + "`" * 1_000_000 + "\n" + "`" * 999_999,
    "blank lines": HEAD + "---\n" + " \n" * 500_000 + "::prose::\n" + "\t\n" * 500_000,
    "one line": HEAD + "---\n" + ":" * 5_000_000,
    "closers": HEAD + "---\n```\n" + "x ```\n" * 200_000,
    "headers": HEAD + "---\n::instruction::\n" + "### Q\n" * 5_000,
    "answers": HEAD + "---\n::instruction::\n" + "### Q\nq\n### A\na\n" * 20_000,
    "markers": HEAD + "---\n::picky::\n" + "<!-- dlm-auto-mined: -->\n" * 5_000,
    "indented fences": HEAD + "---\n" + "     ::prose::\n" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_cheap(plugins, name):
    data = HOSTILE[name].encode()
    start = cpu()
    try:
        document = parse_document(data, Path("a.dlm"), plugins)
        build_rows(document, document.sections, plugins)
    except DocumentError as error:
        assert all(len(problem.message) < 1000 for problem in error.problems)  # noqa: PT017
    assert cpu() - start < 3


def test_the_guard_stops_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(yaml_text, "_build", None)
    assert yaml_text.read_yaml("a: &x [1]\nb: *x\n", 2).data is None
    assert yaml_text.read_yaml("[" * 30, 2).data is None


def test_lines_and_ids_cost_little_beside_the_text(plugins):
    """Reading ten times the text costs about ten times as much: nothing is quadratic."""
    section = "::instruction::\n### Q\nq\n### A\n" + "an answer of some words\n" * 20 + "```\nx\n```\n"

    def cost(count: int) -> float:
        data = (HEAD + "---\n" + section * count).encode()
        start = cpu()
        parse_document(data, Path("a.dlm"), plugins)
        return cpu() - start

    cost(10)
    assert min(cost(5000) for _ in range(3)) < 40 * max(min(cost(500) for _ in range(3)), 1e-3)
