"""Any document, any change: what was meant changes, and no other byte, value or section id does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dlm_core.api import UsageError
from dlm_core.document import section_id
from dlm_core.editing import (
    Change,
    NewSection,
    add_marker,
    append_section,
    apply,
    insert_section_after,
    parts_of,
    remove_key,
    remove_section,
    replace_section_content,
    set_value,
    strip_markers,
    tidy,
)
from dlm_core.editing.frontmatter import has_key
from dlm_core.editing.intact import parts_in, read_tree, same
from dlm_core.editing.lines import lf, plain

from .strategies import bodies, documents, names, values

quick = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def front(data: bytes) -> dict[str, Any]:
    _, parts = parts_in(data)
    return read_tree(parts.frontmatter, parts.syntax).data or {}


def body(data: bytes) -> str:
    text, parts = parts_in(data)
    return text[parts.body :]


def ids(data: bytes) -> list[str]:
    return [section_id(part.type, part.content) for part in parts_of(data)]


def is_insertion(old: bytes, new: bytes) -> bool:
    """Whether `new` is `old` with bytes put in at one place."""
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return len(new) >= len(old) and new.endswith(old[start:])


@quick
@given(documents())
def test_reading_and_writing_a_document_gives_the_same_bytes(data: bytes) -> None:
    assert apply(data, []) == data
    text = plain(data)
    assert apply(data, [Change(at, at, "") for at in range(len(text) + 1)]) == data


@quick
@given(documents(), st.data())
def test_changes_come_where_they_are_meant_in_any_line_ends(data: bytes, draw: st.DataObject) -> None:
    text = plain(data)
    ends = sorted(draw.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    new = draw.draw(st.lists(st.sampled_from(["", "\n", "x", "a\nb", "\n\n"]), min_size=2, max_size=2))
    changes = [Change(ends[0], ends[1], new[0]), Change(ends[2], ends[3], new[1])]
    expected = text[: ends[0]] + new[0] + text[ends[1] : ends[2]] + new[1] + text[ends[3] :]
    done = apply(data, changes)
    assert lf(done.decode().removeprefix("\ufeff")) == expected.removeprefix("\ufeff") or "\ufeff" in expected
    assert done.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")


operations = st.lists(
    st.tuples(st.sampled_from(["set", "set", "remove"]), st.lists(names, min_size=1, max_size=3), values), max_size=6
)


@pytest.mark.parametrize("kind", ["yaml", "toml"])
@quick
@given(draw=st.data(), todo=operations)
def test_any_sequence_of_changes_gives_what_a_plain_dictionary_would_hold(
    kind: str, draw: st.DataObject, todo: list[Any]
) -> None:
    data = draw.draw(documents(kind))
    model, text = front(data), body(data)
    for what, parts, value in todo:
        loc = tuple(parts)
        before = data
        if what == "set":
            wanted = put(copy.deepcopy(model), loc, value)
            if wanted is None or (kind == "toml" and is_table(data, loc)):
                with pytest.raises(UsageError):
                    set_value(data, loc, value)
                continue
            data = set_value(data, loc, value)
            model = wanted
        elif has_key(model, loc):
            data = remove_key(data, loc)
            model = without(copy.deepcopy(model), loc)
        else:
            with pytest.raises(UsageError):
                remove_key(data, loc)
        assert same(front(data), model)
        assert body(data) == text
        assert data.endswith(before[-len(text.encode()) :] if text else b"")


def is_table(data: bytes, loc: tuple[str, ...]) -> bool:
    """Whether a key is written as a table of several lines, which only its keys can change."""
    from dlm_core.editing.toml_edit import source_of

    _, parts = parts_in(data)
    return has_key(front(data), loc) and source_of(parts.frontmatter, loc) is None


def put(model: dict[str, Any], loc: tuple[str, ...], value: Any) -> dict[str, Any] | None:
    """The dictionary with a value set; None when something that is no block is in the way."""
    node: Any = model
    for name in loc[:-1]:
        if not isinstance(node, dict):
            return None
        if node.get(name) is None:
            node[name] = {}
        node = node[name]
    if not isinstance(node, dict):
        return None
    node[loc[-1]] = value
    return model


def without(model: dict[str, Any], loc: tuple[str, ...]) -> dict[str, Any]:
    node: Any = model
    for name in loc[:-1]:
        node = node[name]
    del node[loc[-1]]
    return without(model, loc[:-1]) if len(loc) > 1 and not node else model


@quick
@given(documents(), values)
def test_a_new_key_is_put_in_and_no_byte_that_was_there_goes(data: bytes, value: Any) -> None:
    assert is_insertion(data, set_value(data, "brand_new", value))
    assert remove_key(set_value(data, "brand_new", value), "brand_new") == data


@quick
@given(documents(), st.integers(0, 999))
def test_a_changed_number_touches_its_own_line_only(data: bytes, number: int) -> None:
    data = set_value(data, "rank", 1000, after="dlm_id")
    done = set_value(data, "rank", number)
    old, new = data.decode().splitlines(keepends=True), done.decode().splitlines(keepends=True)
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    assert set_value(done, "rank", 1000) == data


contents = st.sampled_from(["One.", "a\n\nb", "```\n::x::\n```", "  indented\nlast  ", "ünï"])


@quick
@given(documents(), contents, st.data())
def test_editing_one_section_changes_no_other_id_and_no_other_byte(
    data: bytes, content: str, draw: st.DataObject
) -> None:
    parts = parts_of(data)
    assume(parts)
    index = draw.draw(st.integers(0, len(parts) - 1))
    part, before = parts[index], ids(data)
    done = replace_section_content(data, part.line, content)
    after = ids(done)
    assert after == [*before[:index], section_id(part.type, content), *before[index + 1 :]]
    end = len(plain(data))
    kept = apply(data, [Change(part.first if part.content else part.body, end, "")])
    assert done.startswith(kept)
    rest = data[len(apply(data, [Change(part.last, end, "")])) :]
    assert done.endswith(rest.removeprefix(b"\n"))
    if part.content:
        assert replace_section_content(done, part.line, part.content) == data or "\r" in data.decode()
    assert front(done) == front(data)
    removed = remove_section(data, part.line)
    assert ids(removed) == before[:index] + before[index + 1 :]


@quick
@given(documents(), contents, st.data())
def test_new_sections_stand_where_they_are_put(data: bytes, content: str, draw: st.DataObject) -> None:
    before, new = ids(data), NewSection("prose", content, "tone")
    done = append_section(data, new)
    assert ids(done) == [*before, section_id("prose", content)]
    assert is_insertion(data, done)
    parts = parts_of(data)
    if parts:
        index = draw.draw(st.integers(0, len(parts) - 1))
        marked = NewSection("prose", content, markers={"dlm-auto-harvest": {"source": "x"}})
        inserted = insert_section_after(data, parts[index].line, marked)
        assert ids(inserted) == [*before[: index + 1], section_id("prose", content), *before[index + 1 :]]
        assert is_insertion(data, inserted)


@quick
@given(documents(), st.data())
def test_markers_come_and_go_without_changing_an_id(data: bytes, draw: st.DataObject) -> None:
    parts = parts_of(data)
    assume(parts)
    part = draw.draw(st.sampled_from(parts))
    marked = add_marker(data, part.line, "dlm-auto-harvest", {"source": "here"})
    assert ids(marked) == ids(data)
    assert is_insertion(data, marked)
    bare = strip_markers(marked)
    assert ids(bare) == ids(data)
    assert not any(part.markers for part in parts_of(bare))
    assert strip_markers(bare) == bare


@settings(quick, max_examples=300)
@given(documents())
def test_the_canonical_form_says_the_same_and_is_its_own(data: bytes) -> None:
    done = tidy(data)
    assert tidy(done) == done
    assert same(front(done), front(data))
    assert [part.says for part in parts_of(done)] == [part.says for part in parts_of(data)]
    assert b"\r" not in done
    assert not done.startswith(b"\xef\xbb\xbf")
    assert done.endswith(b"\n")


@quick
@given(bodies())
def test_documents_of_these_tests_have_sections(lines: list[str]) -> None:
    data = ("---\na: 1\n---\n" + "\n".join(lines)).encode()
    assert len(parts_of(data)) >= sum(line.startswith("::x::") for line in lines) * ("```" not in lines)


STYLES = [
    "a: {\n  x: 1,  # one\n  y: [1, 2,\n    3],  # two\n  # end\n}\nb: 'multi\n  line'\nc: plain\n  more\n",
    "d: >+\n  folded\n\n  text\n\ne: |2\n    lead\nf: [\n  ]\n",
    "g:\n  - - 1\n    - 2\n  -\n    k: v\n  - |\n    lit\n  - m: 1\n\n    n: 2  # n\n",
    "? a\n: x\n? b\n:\n  c: 1\n",
    "# only a comment\n",
    "{a: 1, b: {c: 2}}\n",
    "\"q k\": 1\n'it''s': 2\na:    # nothing\nb: ~  # null\nc: null\nd: []\ne: {}\nf: {x}\n",
    "a:\n  # first\n  b:\n\n    c: 1\n    # inner\n\n  # after\n\nd: 2\n",
    "a:\n- x: 1\n  y: |\n    t\n\n- x: 2\nb:\n    - 1\n\n    # mid\n    - 2\n",
]


def places(value: Any, loc: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [loc] * bool(loc) + [place for name, item in inner for place in places(item, (*loc, name))]


@pytest.mark.parametrize("front_text", STYLES)
@pytest.mark.parametrize("value", [5, "no", "a\nb\n", [1, "x"], {"k": {"l": [1]}}, None, "", " \n "])
def test_every_key_can_be_set_and_removed_in_every_style_of_yaml(front_text: str, value: Any) -> None:
    data = f"---\n{front_text}---\nbody".encode()
    found = places(front(data))
    for loc in [*found, ("new",), ("new", "deep"), *((*loc, "new") for loc in found)]:
        wanted = put(copy.deepcopy(front(data)), loc, value) if not any(isinstance(n, int) for n in loc) else None
        try:
            done = set_value(data, loc, value)
        except UsageError:
            assert wanted is None
        else:
            assert wanted is None or same(front(done), wanted)
            assert body(done) == "body"
    for loc in found:
        assert not has_key(front(remove_key(data, loc)), loc) or isinstance(loc[-1], int)
