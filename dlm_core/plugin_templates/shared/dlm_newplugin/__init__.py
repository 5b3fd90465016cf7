"""A plugin for DLM; `plugin.py` is where DLM comes in."""
