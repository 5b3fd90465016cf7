"""For plugins: text about nothing in particular, to hold a document or what a training did against."""

from __future__ import annotations

from pathlib import Path


def neutral_texts() -> list[str]:
    """Plain English paragraphs, always the same."""
    path = Path(__file__).parent / "exam" / "neutral.txt"
    return [part.strip() for part in path.read_text(encoding="utf-8").split("\n\n") if part.strip()]
