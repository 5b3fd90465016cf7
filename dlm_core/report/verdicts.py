"""How well a section was learned, as a word, a mark and a colour: the colour never says it alone."""

from __future__ import annotations

from collections.abc import Sequence

from ..exam import SectionResult
from .markup import text

#: Verdict -> mark and word.  Colours (style.css) are told apart by colour-blind readers too (Okabe and Ito 2008).
WORDS: dict[str, tuple[str, str]] = {
    "well": ("✓", "learned well"),
    "partly": ("◐", "learned partly"),
    "not": ("✗", "not learned"),
    "worse": ("▲", "worse than before"),
    "validation": ("◌", "held out"),
    "exam": ("?", "only asked"),
    "unknown": ("–", "not measured"),
}

#: From what asks for attention most to what asks for none.
_ORDER = ("worse", "not", "partly", "well")


def kind_of(results: Sequence[SectionResult], side: str) -> str:
    """One kind for a section: the worst verdict of its adapters, or why there is none."""
    trained = [result.verdict for result in results if result.trained]
    if trained:
        return next(verdict for verdict in _ORDER if verdict in trained)
    return side if side in ("validation", "exam") else "unknown"


def badge(kind: str, before: str = "") -> str:
    """A mark and a word, with what is worth saying before them."""
    mark, word = WORDS[kind]
    return f'<span class="badge {kind}">{before}<span class="mark" aria-hidden="true">{mark}</span> {text(word)}</span>'


def losses(result: SectionResult, named: bool) -> str:
    """`2.91 → 0.31`, or `50% → 100%` of pairs, with the adapter's name where a section belongs to several."""
    name = f"{text(result.adapter)} " if named else ""
    before, after = result.texts
    return f"{name}{before} → {after}"


def bar(share: float) -> str:
    """A bar as SVG, its length a share of the whole."""
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="all" width="100" height="8"/><rect class="part" width="{100 * share:.0f}" height="8"/></svg>'
    )
