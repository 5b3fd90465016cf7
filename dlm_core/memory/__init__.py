"""Memory of earlier runs: what the version before saw, what changed since, and which old rows are trained once more."""

from .delta import Delta, Known, identity
from .recall import Asked, Memory, recall, room_in, second_epochs, second_round
from .work import Sizes, all_work, work_of_run

__all__ = [
    "Asked",
    "Delta",
    "Known",
    "Memory",
    "Sizes",
    "all_work",
    "identity",
    "recall",
    "room_in",
    "second_epochs",
    "second_round",
    "work_of_run",
]
