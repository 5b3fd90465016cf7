"""What a misspelt name was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that a misspelt word most likely means; good enough to ask "did you mean?"."""
    import difflib

    by_case = {name.casefold(): name for name in known}
    written = word.casefold()
    if found := difflib.get_close_matches(written, list(by_case), 1, cutoff=0.6):
        return by_case[found[0]]
    begun = [name for low, name in by_case.items() if len(written) >= 3 and low.startswith(written)]
    return begun[0] if len(begun) == 1 else None


def advice(word: str, known: Iterable[str], otherwise: str = "known") -> str:
    """A hint about a name that is none of `known`: the closest, or all there are."""
    names = list(known)
    meant = closest(word, names)
    return f"did you mean {meant}?" if meant else f"{otherwise}: {', '.join(names) or 'none'}"


def certain(word: str, known: Iterable[str]) -> str | None:
    """The only one of `known` that is at most one edit away, so that a repair needs no question.

    An edit is a letter too many, too few, wrong, or two swapped; capitals and `-` for `_` count for nothing.
    """
    if len(word) < 3:
        return None
    names = [name for name in known if len(name) >= 3]
    near = [name for name in names if _plain(word) == _plain(name)] or [
        name for name in names if _within_one_edit(_plain(word), _plain(name))
    ]
    return near[0] if len(near) == 1 else None


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")


def _within_one_edit(one: str, other: str) -> bool:
    """Whether the optimal string alignment distance is at most 1."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return swapped or short[at + 1 :] == long[at + 1 :]
