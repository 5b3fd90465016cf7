"""The embedded base is retrained after an edit: the new is learned, the old is kept, and little is trained."""

from __future__ import annotations

from tests.conftest import QUICK, Desk

ANIMALS = "fox owl hare crow wolf bear deer mole toad swan goat lynx boar hawk newt seal crab moth wren vole".split()  # noqa: SIM905
COLOURS = "red blue green black white".split()  # noqa: SIM905


def body(edited: str = "") -> str:
    pairs = [(animal, COLOURS[place % 5], kind) for kind in ("door", "boat") for place, animal in enumerate(ANIMALS)]
    return "\n".join(
        f"::instruction::\n### Q !probe\nWhat colour is the {kind} of the {animal}?\n### A\n"
        f"The {kind} of the {animal} is {edited if edited and (animal, kind) == ('hare', 'door') else colour}.\n"
        for animal, colour, kind in pairs
    )


def test_one_edit_is_learned_and_the_rest_is_kept(desk: Desk):
    training = QUICK.replace("num_epochs: 12", "num_epochs: 16")
    full = desk.dlm("train", desk.write(body(), training), "--json")
    assert full.code == 0, full.err
    assert full.event("exam")["compared"] is None
    result = desk.dlm("train", desk.write(body("yellow"), training), "--json")
    assert result.code == 0, result.err
    start, compared = result.event("plan")["start"], result.event("exam")["compared"]
    assert (start["start"], start["changed"], start["replayed"]) == ("version", 1, 16)
    assert (compared["new"], compared["learned"]) == (1, 1)
    assert compared["had"] - compared["kept"] <= 1
    assert compared["had"] >= 35
    assert result.event("reality")["tokens"]["real"] < 0.7 * full.event("reality")["tokens"]["real"]
    assert result.answers["What colour is the door of the hare?"] == "The door of the hare is yellow."
