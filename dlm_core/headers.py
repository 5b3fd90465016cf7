"""For plugins: sections whose rows are made of parts under headers, such as `### Q` and `### A`."""

from .document.headers import Group, split_groups

__all__ = ["Group", "split_groups"]
