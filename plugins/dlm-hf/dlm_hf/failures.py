"""What can go wrong inside a training step, in words that help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dlm_core.api import DivergedError, DoesNotFitError

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


@contextmanager
def memory_explained(rows: int, tokens: int) -> Iterator[None]:
    """Turn a failed allocation inside the block into DoesNotFitError with the settings that lower the need."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(word in str(error).lower() for word in _MEMORY_WORDS):
            raise
        raise DoesNotFitError(
            f"memory ran out on a batch of {rows} rows of up to {tokens:,} tokens",
            "set training.micro_batch_size: 1, lower training.sequence_len or training.lora_r, name fewer "
            "training.target_modules, or choose a smaller base",
        ) from error


def not_finite(what: str, lines: Sequence[int], help_: str) -> DivergedError:
    """The error for a loss or gradient that is NaN or infinite, with the document lines of the rows behind it."""
    listed = ", ".join(str(line) for line in sorted(set(lines)))
    return DivergedError(
        f"the {what} became NaN or infinite on the rows of line{'s' if len(set(lines)) > 1 else ''} {listed}", help_
    )


def what_helps(rate_key: str, is_fp32: bool) -> str:
    """What to do about numbers that are not finite; `rate_key` is where the learning rate is set."""
    others = "" if is_fp32 else ", or set training.precision: fp32"
    return f"lower {rate_key}{others}; no version was made"
