"""The conformance suite: `test_conforms = conformance("my_plugin.plugin")` in a test file is all there is to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from .rules import RULES
from .subject import Subject, load_subject


def conformance(
    module: str, *, examples: Mapping[str, str | Sequence[str]] | None = None, trains_plain_documents: bool = False
) -> Callable[[str], None]:
    """A test function, one case a rule, for the plugin whose entry-point module is `module`.

    `examples` maps a section type's name to one or more document bodies that hold such a section; a path in them
    starts at the folder where pytest runs.  `trains_plain_documents` is for the rare trainer that is meant to take
    prose and instructions by merely being installed.
    """
    import pytest

    @pytest.mark.parametrize("rule", sorted(RULES))
    def test(rule: str) -> None:
        __tracebackhide__ = True
        found = list(complaints(rule, load_subject(module, examples or {}, trains_plain_documents)))
        if found:
            pytest.fail("\n".join([f"{module} breaks the rule {rule!r}:", *found]), pytrace=False)

    return test


def complaints(rule: str, subject: Subject) -> Iterator[str]:
    """What a plugin does wrong by one rule, a sentence each.  Raises KeyError for an unknown rule."""
    if rule != "it loads" and subject.plugin.error:
        yield f"it did not load: {subject.plugin.why}"
        return
    yield from RULES[rule](subject)
