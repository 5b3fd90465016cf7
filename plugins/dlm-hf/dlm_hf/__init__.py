"""The engine: Hugging Face models, LoRA training, generation and scoring.  Importing this imports nothing heavy."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
