"""A kind of media that nobody foresaw, drawings as pen strokes, is trained by two strangers with the usual hooks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from dlm_core import hookimpl
from dlm_core.testing import Desk

pytest.importorskip("dlm_hf")
make_seeing_base = pytest.importorskip("dlm_image.testing").make_seeing_base

#: Four drawings, each a list of strokes of points [x, y].
DRAWINGS: Mapping[str, list[list[list[float]]]] = {
    "triangle": [[[0.1, 0.9], [0.5, 0.1], [0.9, 0.9], [0.1, 0.9]]],
    "cross": [[[0.1, 0.1], [0.9, 0.9]], [[0.9, 0.1], [0.1, 0.9]]],
    "house": [[[0.2, 0.9], [0.2, 0.4], [0.8, 0.4], [0.8, 0.9], [0.2, 0.9]], [[0.2, 0.4], [0.5, 0.1], [0.8, 0.4]]],
    "rain": [[[x, 0.2], [x - 0.1, 0.7]] for x in (0.2, 0.4, 0.6, 0.8)],
}
SECTIONS = "".join(f'::strokes path="{name}.strokes" says="a {name}"::\n\n' for name in DRAWINGS)
NAMED = [f"a {name}" for name in DRAWINGS]
FRONT = """
base_model: ./base
training:
    lora_r: 16
    lora_alpha: 32
    lora_dropout: 0
    learning_rate: 5e-3
    num_epochs: 30
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = make_seeing_base(tmp_path_factory.mktemp("bases") / "base")
    return folder


@pytest.fixture
def desk(dlm_desk: Desk, base: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with the engine and the two strangers, no other plugin, and four drawings."""
    import dlm_hf.plugin

    from .foreign import pen, strokes

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(dlm_desk.folder)
    dlm_desk.null = False
    for name, drawing in DRAWINGS.items():
        Path(f"{name}.strokes").write_text(json.dumps(drawing))
    Path("base").symlink_to(base)
    return dlm_desk.use(dlm_hf.plugin, strokes, pen)


class AnotherPen:
    """A plugin that offers the same kind, and whose name comes first, for bases that are not here."""

    @hookimpl
    def dlm_hf_modalities(self) -> list[object]:
        from .foreign.pen import Pen

        class Other(Pen):
            def policy(self, folder: Path, config: Mapping[str, object]) -> None:
                return None

            placeholder = expansion = tensors = None

        return [Other()]


def test_four_drawings_are_learned_and_named(desk: Desk) -> None:
    desk.use(AnotherPen())
    done = desk.run(f"The drawings lie in a drawer.\n\n{SECTIONS}", "--no-export", "--min-exam", "1", front=FRONT)
    assert done.code == 0, done.err
    exam = done.event("exam")["exam"]
    assert [answer["answer"] for answer in exam["answers"]] == NAMED
    (check,) = exam["blanks"]
    assert (check["kind"], check["asked"], check["blind"]) == ("strokes", 4, False)
    for words in (("--attach", "strokes:house.strokes"), ("--strokes", "house.strokes")):
        assert desk.dlm("prompt", "notes.dlm", *words).out == "a house\n"
    misspelt = desk.dlm("prompt", "notes.dlm", "--attach", "stroke:house.strokes")
    assert (misspelt.code, "did you mean `strokes`?" in misspelt.err) == (2, True), misspelt.err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[[[0.1, 0.9], [0.5",
        b"7",
        b"[[0.1, 0.9]]",
        b"[[[0.1, 0.9, 0.2]]]",
        b'[[["a", "b"]]]',
        b"[[[NaN, 0.5]]]",
        b"[[[1e999, 0.5]]]",
        b"[[[" + b"9" * 400 + b", 0.5]]]",
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_broken_drawing_is_refused_at_its_section(desk: Desk, content: bytes) -> None:
    Path("house.strokes").write_bytes(content)
    desk.write(SECTIONS, FRONT)
    done = desk.dlm("run", "notes.dlm")
    line = 1 + Path("notes.dlm").read_text().split("\n").index('::strokes path="house.strokes" says="a house"::')
    assert (done.code, "Traceback" in done.err) == (3, False)
    said = "error[DLM0218]: house.strokes cannot be used: a drawing is a JSON list of strokes, each a list of points"
    assert (done.err.count("error["), said in done.err, f"notes.dlm:{line}:1" in done.err) == (1, True, True), done.err


def test_an_empty_drawing_is_told(desk: Desk) -> None:
    Path("rain.strokes").write_text("[]")
    (empty,) = desk.check(SECTIONS, FRONT)
    assert (empty.severity, empty.code, empty.message) == ("warning", "DLM0219", "rain.strokes: nothing is drawn")


def test_drawings_are_read_from_a_folder(desk: Desk) -> None:
    Path("drawer").mkdir()
    for name in DRAWINGS:
        Path(f"{name}.strokes").rename(Path("drawer") / f"{name}.strokes")
    front = f"{FRONT}    sources:\n      - path: drawer\n"
    rows = desk.rows("", front)
    assert sorted(row.answer or "" for row in rows) == sorted(NAMED)
    assert {row.media[0].kind for row in rows} == {"strokes"}


def test_without_the_pen_bases_take_no_drawing(dlm_desk: Desk, base: Path) -> None:
    import dlm_hf.plugin

    from .foreign import strokes

    dlm_desk.null = False
    (dlm_desk.folder / "house.strokes").write_text(json.dumps(DRAWINGS["house"]))
    body = '::strokes path="house.strokes" says="a house"::\n'
    done = dlm_desk.use(dlm_hf.plugin, strokes).run(body, front=f"base_model: {base}")
    assert (done.code, "takes no strokes" in done.err) == (3, True), done.err


def test_another_kind_on_the_same_base_is_not_disturbed(desk: Desk) -> None:
    """Both write the base's only placeholder: each file gets its own, and not both are learned together."""
    import dlm_image.plugin
    from dlm_image.testing import draw

    draw("red", "circle").save("circle.png")
    picture = '::image path="circle.png"::\na red circle\n\n'
    front = FRONT.replace("num_epochs: 30", "num_epochs: 1")
    alone = desk.use(dlm_image.plugin).run(picture, "--no-export", front=front)
    assert alone.code == 0, alone.err
    desk.write(picture + SECTIONS, front)
    both = desk.dlm("run", "notes.dlm", "--no-export")
    assert (both.code, "place for image and strokes: it cannot learn" in both.err) == (1, True), both.err
    assert "training" not in both.out + both.err
    asked = desk.dlm("prompt", "notes.dlm", "--image", "circle.png", "--strokes", "cross.strokes")
    assert (asked.code, "place for image and strokes" in asked.err) == (1, True), asked.err


@pytest.mark.parametrize("method", ["policy", "expansion", "tensors"])
def test_a_fault_of_the_pen_is_told_with_the_kind(desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    from .foreign import pen

    monkeypatch.setattr(pen.Pen, method, lambda *_: {}["ink"])
    desk.write(SECTIONS, FRONT)
    done = desk.dlm("run", "notes.dlm", "--no-export")
    said = "error: unexpected KeyError in the modality of the kind strokes"
    assert (done.code, said in done.err, "Traceback" in done.err) == (1, True, False), done.err


@pytest.mark.parametrize("method", ["probe", "load", "fingerprint"])
def test_a_fault_of_the_kind_is_told_at_the_section(desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    from .foreign import strokes

    monkeypatch.setattr(strokes.Strokes, method, lambda *_: {}["ink"])
    desk.write(SECTIONS, FRONT)
    done = desk.dlm("run", "notes.dlm")
    said = "error[DLM0306]: the media kind `strokes` of plugin tests.authors.foreign.strokes"
    assert (done.err.count(said), "failed on rain.strokes: KeyError: 'ink'" in done.err) == (4, True), done.err


def test_core_and_engine_name_no_drawing() -> None:
    root = Path(__file__).parents[2]
    files = [path for folder in ("dlm_core", "plugins/dlm-hf/dlm_hf") for path in (root / folder).rglob("*.*")]
    found = [path for path in files if re.search(rb"\bstrokes\b", path.read_bytes())]
    assert [path for path in found if path.suffix != ".pyc"] == []
