"""The core of DLM: a document goes in, a trained adapter comes out.  Importing this costs only pluggy."""

from pluggy import HookimplMarker

__version__ = "0.1.0"

#: Raised when a hook is removed or changes its meaning; a new hook, or a field with a default, does not raise it.
API_VERSION = 1

hookimpl = HookimplMarker("dlm")

__all__ = ["API_VERSION", "__version__", "hookimpl"]
