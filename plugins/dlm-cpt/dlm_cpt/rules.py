"""What a document asks for with `training.cpt`, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlm_core.api import Problem

if TYPE_CHECKING:
    from dlm_core.api import Document, Row

KEY = "training.cpt"

#: With more prose than this among the rows, `auto` is `dapt`.
PROSE_SHARE = 0.7

#: Of `dapt`: how much longer the warm-up is, at most which part of the steps, and what the learning rate ends at.
WARMUP_FACTOR = 2.0
LONGEST_WARMUP = 0.5
FLOOR = 0.1


def block(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """`training.cpt` of a frontmatter as JSON values, defaults where nothing is written."""
    found: Mapping[str, Any] = config["training"]["cpt"]
    return found


def asked_for(doc: Document) -> Mapping[str, Any] | None:
    """The block; None for a document that does not mention it, or has errors in it: the plugin then does nothing."""
    return block(doc.config) if doc.wrote(KEY) and (doc.config.get("training") or {}).get("cpt") else None


def prose_share(rows: Sequence[Row]) -> float:
    """The part of the rows that are prose; 0 without rows."""
    return sum(row.kind == "text" for row in rows) / len(rows) if rows else 0.0


def wants_phase(asked: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """Whether prose gets a phase of its own: with `dapt`, and for embeddings to warm up in."""
    if not prose_share(rows):
        return False
    is_dapt = asked["schedule"] == "dapt" or (asked["schedule"] == "auto" and prose_share(rows) > PROSE_SHARE)
    return is_dapt or asked["embed_warmup_steps"] > 0


def problems(doc: Document) -> Iterator[Problem]:
    """Keys that nothing in the document answers to."""
    asked = asked_for(doc)
    if asked is None or any(section.type == "prose" for section in doc.sections) or doc.config["training"]["sources"]:
        return
    for key, active in (("schedule", asked["schedule"] == "dapt"), ("embed_warmup_steps", asked["embed_warmup_steps"])):
        if active:
            yield Problem(
                doc.where(f"{KEY}.{key}"),
                f"there is no prose that {KEY}.{key} could be for",
                "write some prose or name sources, or take the key out",
                "warning",
                "CPT0001",
            )
