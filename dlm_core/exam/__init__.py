"""The exam: the document's own questions, asked after training, and how well each section was learned."""

from .ask import examine
from .result import Answer, Exam, SectionResult, verdict

__all__ = ["Answer", "Exam", "SectionResult", "examine", "verdict"]
