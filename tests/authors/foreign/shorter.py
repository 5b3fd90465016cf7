"""A judge of answers for `dlm preference mine`."""

from dlm_core import hookimpl
from dlm_preference.judge import Judge


class Shorter(Judge):
    name = "shorter"
    help = "shorter answers are better"

    def scores(self, argument, candidates):
        return (-float(len(one.answer)) for one in candidates)


@hookimpl
def dlm_preference_judges():
    return [Shorter()]
