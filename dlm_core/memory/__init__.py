"""Memory of earlier runs: what the version before saw, what changed since, and which old rows are trained once more."""

from .delta import Delta, Known
from .recall import Asked, Memory, recall
from .work import Sizes, all_work, work_of_run

__all__ = ["Asked", "Delta", "Known", "Memory", "Sizes", "all_work", "recall", "work_of_run"]
