"""Better and worse answers: sections of them, training on them by DPO and ORPO, mining them from the model."""

__version__ = "0.1.0"
