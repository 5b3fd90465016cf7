"""An exporter that takes plugins of its own: cards, in any style that somebody gives with `dlm_card_styles`."""

import hashlib

from dlm_core import hookimpl
from dlm_core.api import Artifact, Exporter
from dlm_core.hookspecs import hookspec


class CardSpec:
    @hookspec
    def dlm_card_styles(self):
        """Texts with {front} and {back}, one a card."""


class Cards(Exporter):
    name = "cards"
    help = "questions and answers as cards"

    def __init__(self, plugins):
        self.plugins = plugins

    def export(self, job):
        styles = [owned.value for owned in self.plugins.collect("dlm_card_styles", str)] or ["{front} = {back}"]
        path = job.out / "cards.txt"
        pairs = [(row.question[-1].text, row.answer) for row in job.rows if row.question]
        path.write_text("\n".join(style.format(front=q, back=a) for style in styles for q, a in pairs) + "\n")
        yield Artifact(path, hashlib.sha256(path.read_bytes()).hexdigest())


@hookimpl
def dlm_hookspecs():
    return [CardSpec]


@hookimpl
def dlm_exporters(plugins):
    return [Cards(plugins)]
