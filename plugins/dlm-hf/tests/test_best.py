"""Which epoch is kept, against the rule written out over all epochs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlm_hf.best import Candidate, offer, winner

LOSS = st.floats(0.001, 8, allow_nan=False).map(lambda value: round(value, 2))


@given(st.lists(st.tuples(LOSS, LOSS), min_size=1, max_size=12))
def test_dropping_candidates_early_never_changes_the_winner(losses: list[tuple[float, float]]) -> None:
    kept: list[Candidate] = []
    for epoch, (training, validation) in enumerate(losses):
        kept = offer(kept, Candidate(epoch, training, validation, {}))
    limit = min(training for training, _ in losses) * 1.1 + 0.02
    best = min(validation for training, validation in losses if training <= limit)
    assert winner(kept).validation == best
    assert winner(kept).training <= limit


def test_an_epoch_that_has_not_learned_the_document_is_not_kept() -> None:
    kept: list[Candidate] = []
    for epoch, (training, validation) in enumerate([(3.0, 2.0), (1.0, 2.4), (0.2, 3.0), (0.21, 2.9)]):
        kept = offer(kept, Candidate(epoch, training, validation, {}))
    assert winner(kept).epoch == 3
