"""Everything that crosses the boundary between core and a plugin.  Standard library only.

A name is loaded with its module when it is first used: `dlm --help` pays for commands, not for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .document import Document, Explanation, Fix, Marker, Problem, Section, Span, read_explanations
    from .errors import (
        BaseMissingError,
        CannotMixError,
        DivergedError,
        DlmError,
        DocumentError,
        DoesNotFitError,
        ExportFailedError,
        InterruptedRunError,
        NotLearnedError,
        PluginMissingError,
        RunFailedError,
        UsageError,
    )
    from .interfaces import (
        Attr,
        Command,
        ConfigBlock,
        Engine,
        Exporter,
        MediaKind,
        OpenModel,
        Option,
        PrecisionPolicy,
        Runner,
        SectionType,
        SourceReader,
        Trainer,
    )
    from .jobs import Artifact, Control, Event, ExportJob, Mix, Sampling, Score, TrainJob, TrainResult
    from .models import AdapterSettings, BaseModel, BaseShape, LocatedBase, TrainingSettings
    from .planning import (
        Batch,
        Choice,
        Hardware,
        PhaseNotes,
        PhasePlan,
        Plan,
        Precision,
        RowSize,
        RowTokens,
        Token,
        TokenPiece,
    )
    from .routing import Blend, Route, Router
    from .rows import Media, Message, Part, Row, Text, chat_row, preference_row, text_row

_MODULES = {
    "document": (
        "Document",
        "Explanation",
        "Fix",
        "Marker",
        "Problem",
        "Section",
        "Span",
        "read_explanations",
    ),
    "errors": (
        "BaseMissingError",
        "CannotMixError",
        "DivergedError",
        "DlmError",
        "DocumentError",
        "DoesNotFitError",
        "ExportFailedError",
        "InterruptedRunError",
        "NotLearnedError",
        "PluginMissingError",
        "RunFailedError",
        "UsageError",
    ),
    "interfaces": (
        "Attr",
        "Command",
        "ConfigBlock",
        "Engine",
        "Exporter",
        "MediaKind",
        "OpenModel",
        "Option",
        "PrecisionPolicy",
        "Runner",
        "SectionType",
        "SourceReader",
        "Trainer",
    ),
    "jobs": (
        "Artifact",
        "Control",
        "Event",
        "ExportJob",
        "Mix",
        "Sampling",
        "Score",
        "TrainJob",
        "TrainResult",
    ),
    "models": (
        "AdapterSettings",
        "BaseModel",
        "BaseShape",
        "LocatedBase",
        "TrainingSettings",
    ),
    "planning": (
        "Batch",
        "Choice",
        "Hardware",
        "PhaseNotes",
        "PhasePlan",
        "Plan",
        "Precision",
        "RowSize",
        "RowTokens",
        "Token",
        "TokenPiece",
    ),
    "routing": (
        "Blend",
        "Route",
        "Router",
    ),
    "rows": (
        "Media",
        "Message",
        "Part",
        "Row",
        "Text",
        "chat_row",
        "preference_row",
        "text_row",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AdapterSettings",
    "Artifact",
    "Attr",
    "BaseMissingError",
    "BaseModel",
    "BaseShape",
    "Batch",
    "Blend",
    "CannotMixError",
    "Choice",
    "Command",
    "ConfigBlock",
    "Control",
    "DivergedError",
    "DlmError",
    "Document",
    "DocumentError",
    "DoesNotFitError",
    "Engine",
    "Event",
    "Explanation",
    "ExportFailedError",
    "ExportJob",
    "Exporter",
    "Fix",
    "Hardware",
    "InterruptedRunError",
    "LocatedBase",
    "Marker",
    "Media",
    "MediaKind",
    "Message",
    "Mix",
    "NotLearnedError",
    "OpenModel",
    "Option",
    "Part",
    "PhaseNotes",
    "PhasePlan",
    "Plan",
    "PluginMissingError",
    "Precision",
    "PrecisionPolicy",
    "Problem",
    "Route",
    "Router",
    "Row",
    "RowSize",
    "RowTokens",
    "RunFailedError",
    "Runner",
    "Sampling",
    "Score",
    "Section",
    "SectionType",
    "SourceReader",
    "Span",
    "Text",
    "Token",
    "TokenPiece",
    "TrainJob",
    "TrainResult",
    "Trainer",
    "TrainingSettings",
    "UsageError",
    "chat_row",
    "preference_row",
    "read_explanations",
    "text_row",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
