"""Plugins: found through the entry-point group `dlm`, loaded one at a time, kept from taking each other down."""

from .facade import Plugins
from .registry import Hint, Plugin, Registry

__all__ = ["Hint", "Plugin", "Plugins", "Registry"]
