"""Which rows share a step, and how little of a batch is padding."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dlm_core.api import Batch
from dlm_hf.batches import collate, epoch_steps, in_order, largest, longest_first
from dlm_hf.tokens import Example

LENGTHS = st.lists(st.integers(2, 300), min_size=1, max_size=80)


@given(LENGTHS, st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_every_row_comes_once_and_steps_do_not_depend_on_how_they_are_divided(
    lengths: list[int], micro: int, accumulate: int, epoch: int
) -> None:
    steps = epoch_steps(lengths, Batch(micro, accumulate), 7, epoch)
    assert sorted(row for step in steps for part in step for row in part) == list(range(len(lengths)))
    assert all(len(part) <= micro for step in steps for part in step)
    whole = epoch_steps(lengths, Batch(micro * accumulate, 1), 7, epoch)
    assert [sorted(row for part in step for row in part) for step in steps] == [sorted(step[0]) for step in whole]


@given(LENGTHS, st.integers(1, 8), st.integers(1, 600))
def test_a_pass_has_no_more_positions_than_it_may_unless_one_row_alone_has(
    lengths: list[int], micro: int, positions: int
) -> None:
    bounded = epoch_steps(lengths, Batch(micro, 1, positions), 7, 0)
    for step in bounded:
        sizes = [(len(part), max(lengths[row] for row in part)) for part in step]
        assert all(count <= micro and (count == 1 or count * longest <= positions) for count, longest in sizes)
    free = epoch_steps(lengths, Batch(micro, 1), 7, 0)
    assert [[row for part in step for row in part] for step in bounded] == [step[0] for step in free]


def test_order_depends_on_seed_and_epoch() -> None:
    lengths = list(range(2, 60))
    assert epoch_steps(lengths, Batch(4, 1), 1, 0) == epoch_steps(lengths, Batch(4, 1), 1, 0)
    assert epoch_steps(lengths, Batch(4, 1), 1, 0) != epoch_steps(lengths, Batch(4, 1), 1, 1)
    assert epoch_steps(lengths, Batch(4, 1), 1, 0) != epoch_steps(lengths, Batch(4, 1), 2, 0)


def test_less_than_a_tenth_is_padding() -> None:
    draw = random.Random(0)
    lengths = [round(min(512, 20 + draw.expovariate(1 / 120))) for _ in range(600)]
    steps = epoch_steps(lengths, Batch(8, 1), 0, 0)
    cells = sum(len(part) * max(lengths[row] for row in part) for step in steps for part in step)
    assert sum(lengths) / cells > 0.9


def test_the_largest_micro_batch_is_found() -> None:
    lengths = [10, 300, 20, 20, 20]
    assert largest(lengths, [[[0, 2], [3, 4]], [[1]]]) == [1]


def test_measuring_takes_every_row_once() -> None:
    assert sorted(row for part in in_order([5, 3, 9, 1], Batch(3, 1)) for row in part) == [0, 1, 2, 3]


def test_positions_point_at_what_predicts_a_learned_token() -> None:
    rows = [
        Example((5, 6, 7, 8), (False, False, True, True)),
        Example((9, 4), (False, True)),
    ]
    batch = collate(rows, pad_id=7)
    assert batch.ids.tolist() == [[5, 6, 7, 8], [9, 4, 7, 7]]
    assert batch.positions.tolist() == [1, 2, 4]
    assert batch.targets.tolist() == [7, 8, 4]


@given(LENGTHS, st.integers(1, 4), st.integers(1, 4))
def test_the_step_with_the_longest_row_comes_first_however_steps_are_divided(
    lengths: list[int], micro: int, accumulate: int
) -> None:
    steps = longest_first(epoch_steps(lengths, Batch(micro, accumulate), 7, 0), lengths)
    whole = longest_first(epoch_steps(lengths, Batch(micro * accumulate, 1), 7, 0), lengths)
    assert [sorted(row for part in step for row in part) for step in steps] == [sorted(step[0]) for step in whole]
    assert max(lengths) == max(lengths[row] for row in steps[0][0])
