"""Placeholders of media in a rendered text, expanded to as many tokens as each file takes."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlm_core.api import Media, Message, RunFailedError

if TYPE_CHECKING:
    from .modalities import Senses

#: From a place in a text, in characters, to the same place once the text is expanded.
Moved = Callable[[int], int]


def expand(text: str, messages: Sequence[Message], senses: Senses | None) -> tuple[str, Moved]:
    """The rendered text of some messages with what stands for their files, and where its places went.

    Kinds may share a placeholder: each stands for the next file of these kinds.

    Raises RunFailedError when the text has more or fewer placeholders than there are files: some message spells one
    out, or the template has no place for this kind.
    """
    if senses is None or not senses.placeholders:
        return text, lambda place: place
    marks = senses.placeholders
    parts: dict[str, list[Media]] = {mark: [] for mark in marks.values()}
    for part in (part for one in messages for part in one.media if part.kind in marks):
        parts[marks[part.kind]].append(part)
    found = list(re.finditer("|".join(map(re.escape, sorted(parts, key=len, reverse=True))), text))
    for mark, mine in parts.items():
        kinds = " or ".join(kind for kind, one in marks.items() if one == mark)
        _refuse_other_number(mark, kinds, sum(one.group() == mark for one in found), len(mine))
    waiting = {mark: iter(mine) for mark, mine in parts.items()}
    pieces, ends, gains, reached = [], [0], [0], 0
    for one in found:
        made = senses.expansion(next(waiting[one.group()]))
        pieces += [text[reached : one.start()], made]
        reached = one.end()
        ends.append(one.end())
        gains.append(gains[-1] + len(made) - len(one.group()))
    return "".join([*pieces, text[reached:]]), lambda place: place + gains[bisect.bisect_right(ends, place) - 1]


def _refuse_other_number(mark: str, kind: str, written: int, wanted: int) -> None:
    if written < wanted:
        raise RunFailedError(
            f"the base's chat template has no place for {kind}: it wrote {mark!r} {written} times for {wanted} files",
            "choose another base, or one whose folder has the chat template it was made with",
        )
    if written > wanted:
        raise RunFailedError(
            f"a text contains {mark!r}, which this base reads as the place of a file of the kind {kind}",
            "write it in another way, for instance with a space inside",
        )
