"""Sources: the document's own sections and those read from the files it points at."""

from .gather import Gathered, gather

__all__ = ["Gathered", "gather"]
