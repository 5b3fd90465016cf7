"""The exam: the document's own questions, asked after training, and how well each section was learned."""

from .ask import examine
from .compare import Comparison, compare_exams
from .result import Answer, BlankCheck, Exam, SectionResult, verdict

__all__ = ["Answer", "BlankCheck", "Comparison", "Exam", "SectionResult", "compare_exams", "examine", "verdict"]
