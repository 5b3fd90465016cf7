"""The page about a run: one HTML file that needs nothing beside it, made from values by functions without effects."""

from .page import render
from .record import Curve, Point, RunRecord

__all__ = ["Curve", "Point", "RunRecord", "render"]
