"""Sections and spans made the short way are those made the long way; making many leaves the collector as it was."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gc

import pytest

from dlm_core.api import Section, Span
from dlm_core.document import collector
from dlm_core.document.make import make_section, make_span, section_id


def test_they_are_as_if_made_by_their_classes():
    made = make_section("prose", "One.", make_span(3, 1, 9), None, 4)
    assert made == Section("prose", "One.", Span(3, 1, 9), section_id("prose", "One."), content_line=4)
    assert type(made) is Section
    assert type(made.span) is Span
    assert {field.name for field in dataclasses.fields(made) if hasattr(made, field.name)} == set(Section.__slots__)
    assert made == copy.deepcopy(made) == dataclasses.replace(made)
    assert hash(made.span) == hash(Span(3, 1, 9))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.type = "instruction"


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was(was_on):
    before = gc.isenabled()
    try:
        gc.enable() if was_on else gc.disable()
        with contextlib.suppress(KeyError), collector.paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == was_on
    finally:
        gc.enable() if before else gc.disable()
