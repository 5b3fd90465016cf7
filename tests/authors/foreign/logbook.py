"""A source reader: a ship's log, `time | entry`, becomes prose."""

from dlm_core import hookimpl
from dlm_core.api import SourceReader


class Logbook(SourceReader):
    name = "logbook"
    suffixes = frozenset({".log"})

    def sniff(self, head):
        return head.startswith(b"LOG OF THE ")

    def read(self, data, name):
        title, *lines = data.decode().splitlines()
        entries = [entry.strip() for _, bar, entry in (line.partition("|") for line in lines) if bar]
        if not entries:
            raise ValueError("a log without an entry")
        yield "prose", "\n".join([f"# {title.title()}", "", *entries]), {}


@hookimpl
def dlm_source_readers():
    return [Logbook()]
