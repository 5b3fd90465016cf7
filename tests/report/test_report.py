"""The page about a run: it is there however the run ended, loads nothing, hides nothing and lets nothing in."""

from __future__ import annotations

import os
import re
import signal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dlm_core import hookimpl
from dlm_core.api import DivergedError, Event, RunFailedError, Runner
from dlm_core.store import atomic

PAIRS = """
The lighthouse of Varn stands on a rock.

::instruction::
### Q !probe
Who built it?
### A
Ilse Korn built it.

### Q !exam
Who was its builder?
### A
Ilse Korn built it.
"""
VOID = {"meta", "br", "img", "link", "input", "hr"}
SVG_ALONE = {"path", "circle", "rect"}
PARTS = ["loss", "document", "exam", "plan", "warnings", "settings", "machine"]


class Page(HTMLParser):
    """Reads a page strictly: every tag is closed where it should be."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG_ALONE, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())

    def ids(self) -> list[str]:
        return [attrs["id"] or "" for tag, attrs in self.tags if tag == "section"]


def read(result) -> Page:
    return Page(Path(result.event("report")["path"]))


def lonely(page: Page) -> None:
    """Nothing is fetched and nothing is run."""
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "video"}
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "srcset", "style")], (tag, attrs)
        assert (attrs.get("href") or "#").startswith("#"), attrs
    assert not re.search(r"url\(|@import", page.source)


def test_the_page_of_a_finished_run_says_everything(dlm_desk) -> None:
    result = dlm_desk.run(PAIRS)
    page = read(result)
    lonely(page)
    assert page.ids() == [*PARTS, "exports"]
    for words in ("finished", "run 1 → version 1", "null-base", "Trained questions: 1 of 1 exact", "learned well"):
        assert words in page.text, words
    assert "The lighthouse of Varn stands on a rock." in page.text
    assert "optimizer steps" in page.text
    assert "dlm-core" in page.text, "versions"
    drawings = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(drawings) == 2, "loss and learning rate"
    known = {attrs.get("id") for _, attrs in page.tags}
    assert all(set((attrs["aria-labelledby"] or "").split()) <= known for attrs in drawings)


def test_the_page_lies_in_the_store_and_the_command_names_it(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    said = dlm_desk.dlm("train", path)
    report = dlm_desk.dlm("show", path, "--report").out.strip()
    assert f"report   {report}" in said.out
    assert Path(report).name == "run-0001.html"
    store = dlm_desk.dlm("show", path, "--json").json["store"]
    assert Path(report).parent == Path(store) / "reports"
    assert dlm_desk.dlm("show", path, "--run", 1, "--json").json["path"] == report
    missing = dlm_desk.dlm("show", path, "--run", 7)
    assert missing.code == 2
    assert "there is no report of run 7" in missing.err


def test_no_report_before_the_first_run(dlm_desk) -> None:
    refused = dlm_desk.dlm("show", dlm_desk.write(PAIRS), "--report")
    assert refused.code == 2
    assert "no run has left a report" in refused.err


def test_verify_knows_the_page(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)
    report = Path(dlm_desk.run(path).event("report")["path"])
    assert dlm_desk.dlm("show", path, "--verify").code == 0
    report.write_text(report.read_text(encoding="utf-8").replace("finished", "polished"), encoding="utf-8")
    found = dlm_desk.dlm("show", path, "--verify")
    assert found.code == 1
    assert f"{report}: its content has changed" in found.out


def test_the_page_shows_what_was_trained_and_not_what_was_written_since(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS)

    class Editor:
        @hookimpl
        def dlm_event(self, event: Event) -> None:
            if event.kind == "exam_start":
                path.write_text(path.read_text().replace("Varn stands", "Orro fell"))

    page = read(dlm_desk.use(Editor()).run(path))
    assert "Varn stands" in page.text
    assert "Orro" not in page.text
    version = dlm_desk.dlm("show", path, "--json").json["versions"][0]
    manifests = Path(version["adapter"]).parent.parent / "manifests"
    assert "Varn stands" in next(manifests.iterdir()).read_text(), "the version keeps the text"


def test_a_diverged_run_leaves_a_page(desk) -> None:
    path = desk.write(training="  learning_rate: 1e30\n  num_epochs: 2\n")
    result = desk.dlm("train", path, "--json")
    assert result.code == 1
    assert result.event("report")["state"] == "failed"
    page = read(result)
    lonely(page)
    assert page.ids() == PARTS
    assert "failed" in page.text
    assert "NaN" in page.text
    assert "not measured" in page.text
    assert "Ilse Korn" in page.text
    assert desk.dlm("show", path, "--verify").code == 0


class Stop:
    """Presses Ctrl-C after the second step."""

    @hookimpl
    def dlm_event(self, event: Event) -> None:
        if event.kind == "step" and event.data["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_run_leaves_a_page_and_goes_on_with_it(dlm_desk) -> None:
    path = dlm_desk.write(PAIRS, "training: {num_epochs: 6}")
    stopped = dlm_desk.use(Stop()).run(path)
    assert stopped.code == 130
    page = read(stopped)
    assert stopped.event("report")["state"] == "interrupted"
    assert "exam" in page.ids()
    assert "The run ended before its questions were asked" in page.text
    assert "stopped after step 2" in page.text
    whole = dlm_desk.run(path, "--resume")
    assert whole.code == 0, whole.err
    assert whole.event("report")["path"] == stopped.event("report")["path"]
    page = read(whole)
    assert "finished" in page.text
    words = next(text for text in page.said if text.startswith("training from"))
    assert "at step 1 to" in words, "the steps before the interruption are drawn too"
    reality = whole.event("reality")
    for name in ("rows", "tokens", "steps"):
        assert reality[name]["planned"] == reality[name]["real"], name


def test_a_failing_runner_leaves_a_page_with_its_reason(dlm_desk) -> None:
    class Broken(Runner):
        name = "broken"

        def run(self, trainer, job):
            raise DivergedError("the loss <b>became NaN</b>", "lower it")

    class Plugin:
        @hookimpl
        def dlm_runners(self):
            return [Broken()]

    result = dlm_desk.use(Plugin()).run(PAIRS, "--runner", "broken")
    page = read(result)
    assert "the loss <b>became NaN</b>" in page.text
    assert "The run ended before its first step" in page.text


EVIL = '<script>alert(1)</script></style></pre><img src="http://x.example/a.png" onerror=alert(1)> \u202egnp.exe &amp;'


def test_a_hostile_document_stays_text(dlm_desk) -> None:
    body = f"{EVIL}\n\n::instruction::\n### Q !probe\nWhat? {EVIL}\n### A\n{EVIL} \x07 שלום\n"
    page = read(dlm_desk.run(body))
    lonely(page)
    assert "<script>alert(1)</script></style></pre><img" in page.text
    assert "\u202e" not in page.source
    assert "\x07" not in page.source
    assert "⟨U+202E⟩gnp.exe &amp;" in page.text
    assert "שלום" in page.text


def test_a_huge_section_makes_no_huge_page(dlm_desk) -> None:
    body = "so it is and so it was. " * 8_000
    result = dlm_desk.run(body + "\n" + PAIRS)
    assert result.code == 0, result.err
    page = read(result)
    assert len(page.source) < 100_000
    assert "characters more" in page.text
    assert "Ilse Korn" in page.text


def test_a_thousand_sections_are_drawn_quickly(dlm_desk) -> None:
    import time

    from dlm_core.recording import Recorder

    took = []
    render = Recorder._page

    def timed(self, *arguments):
        started = time.process_time()
        page = render(self, *arguments)
        took.append(time.process_time() - started)
        return page

    body = "".join(f"::prose::\nThe step number {number} is made of stone.\n\n" for number in range(1000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "_page", timed)
        page = read(dlm_desk.run(body, front="training: {num_epochs: 1}"))
    assert took[0] < 1
    assert len(page.source) < 1_000_000
    assert page.text.count("made of stone.") >= 1000


def test_several_adapters_and_no_questions(dlm_desk) -> None:
    body = "::prose#knowledge::\nThe rock is black.\n\n::prose#tone::\nSpeak kindly.\n"
    front = "training:\n  adapters:\n    knowledge: {lora_r: 4}\n    tone: {lora_r: 8}\n"
    page = read(dlm_desk.run(body, front=front))
    lonely(page)
    assert "adapters knowledge, tone" in page.text
    assert "Loss, sft of knowledge" in page.text
    assert "Loss, sft of tone" in page.text
    assert page.source.count(">nats a token<") == 2
    assert "The document asks no questions" in page.text


def test_a_page_that_cannot_be_written_stops_no_run(dlm_desk, monkeypatch) -> None:
    write = atomic.write_file

    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".html":
            raise RunFailedError("no space left on device")
        write(path, data)

    monkeypatch.setattr(atomic, "write_file", full)
    path = dlm_desk.write(PAIRS)
    result = dlm_desk.run(path)
    assert result.code == 0, result.err
    assert result.event("commit")["version"] == 1
    assert "the report of run 1 was not written: no space left" in result.event("warning")["message"]
    assert dlm_desk.dlm("show", path, "--verify").code == 0
