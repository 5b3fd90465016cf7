"""What a document's preference block and its sections mean together, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dlm_core.api import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlm_core.api import Document

KEY = "training.preference"
#: The keys that only one of the methods reads.
_OF_METHOD: Mapping[str, tuple[str, ...]] = {
    "dpo": ("loss_type", "reference", "hyperparams.beta"),
    "orpo": ("hyperparams.alpha",),
}


def block(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """`training.preference` of a frontmatter as JSON values; its defaults where it is not written."""
    written: Mapping[str, Any] | None = (config.get("training") or {}).get("preference")
    if written is not None:
        return written
    from .config import PreferenceConfig

    return PreferenceConfig().model_dump(mode="json")


def is_off(doc: Document) -> bool:
    """Whether the author wrote `enabled: false`; anything else lets the sections be trained."""
    return doc.wrote(f"{KEY}.enabled") and not block(doc.config)["enabled"]


def problems(doc: Document) -> Iterator[Problem]:
    """Keys that contradict each other or the sections."""
    sections = [section for section in doc.sections if section.type == "preference"]
    config = block(doc.config)
    if is_off(doc):
        if sections:
            count = f"{len(sections)} section{'s' if len(sections) > 1 else ''}"
            message = f"{count} of preferences will not be trained: `enabled` is false"
            where = doc.where(f"{KEY}.enabled")
            yield Problem(where, message, "remove the key to train them", "warning", "PREF0002")
        return
    if config["enabled"] and not sections and not (doc.config.get("training") or {}).get("sources"):
        hint = "write a `::preference::` section, or let `dlm preference mine` propose some"
        where = doc.where(f"{KEY}.enabled")
        yield Problem(where, "there are no preferences to train", hint, "warning", "PREF0003")
    method = config["method"]
    for key in _OF_METHOD["orpo" if method == "dpo" else "dpo"]:
        if doc.wrote(f"{KEY}.{key}"):
            message = f"`{key.rpartition('.')[2]}` has no meaning for the method {method}"
            where = doc.where(f"{KEY}.{key}")
            yield Problem(where, message, "remove the key, or choose the other method", "warning", "PREF0004")
    if method == "dpo" and config["hyperparams"]["beta"] == 0:
        where = doc.where(f"{KEY}.hyperparams.beta")
        yield Problem(where, "with beta 0 nothing is learned", "the usual value is 0.1", code="PREF0001")
