"""The embedded base model of DLM: 4.5 million parameters, for first runs, tests and demonstrations."""

__version__ = "0.1.0"
