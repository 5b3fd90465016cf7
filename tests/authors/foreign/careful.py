"""A precision policy: a laboratory that compares bits trains in fp32, whatever the machine."""

from dlm_core import hookimpl
from dlm_core.api import Precision, PrecisionPolicy


class Careful(PrecisionPolicy):
    name = "careful"
    rank = 50

    def decide(self, hardware, base, doc):
        if "laboratory" not in (doc.system_prompt or ""):
            return None
        return Precision("fp32", "none", "this laboratory compares runs bit by bit")


@hookimpl
def dlm_precision_policies():
    return [Careful()]
