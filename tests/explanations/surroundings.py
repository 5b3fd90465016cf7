"""What must be around a page's example for its problem to come up: files, plugins, a small machine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from dlm_core import hookimpl
from dlm_core.api import (
    Attr,
    BaseModel,
    ConfigBlock,
    Document,
    MediaKind,
    Message,
    Problem,
    Row,
    Section,
    SectionType,
    SourceReader,
    chat_row,
)
from dlm_core.cli import invoke
from dlm_core.media import section_media
from dlm_core.plugins import Plugins, facade
from dlm_core.plugins.finder import find_plugins

#: Signs on a page for bytes that cannot be shown -> those bytes.
SIGNS = {"␀": b"\0", "␇": b"\x07", "⍰": b"\xe9", "⟨BOM⟩": b"\xef\xbb\xbf"}


@dataclass(frozen=True)
class Said:
    code: int
    text: str


def nothing(folder: Path) -> None:
    """Most examples need no more than themselves."""


def files(contents: Mapping[str, str | bytes]) -> Callable[[Path], None]:
    """Files beside the document, by path."""

    def make(folder: Path) -> None:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "notes.pipe")


def base(folder: Path, edit: Callable[[Path], object]) -> None:
    """A changed copy of the embedded base beside the document."""
    import dlm_tiny

    shutil.copytree(Path(dlm_tiny.__file__).parent / "model", folder / "base")
    edit(folder / "base")


def with_gelu(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "hidden_act": "gelu"}))


def without_template(base: Path) -> None:
    (base / "chat_template.jinja").unlink()


def in_eight_bits(base: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"].to(torch.float8_e4m3fn)
    save_file(weights, base / "model.safetensors", {"format": "pt"})


# -- plugins ------------------------------------------------------------------------------------------


class Poem(SectionType):
    name = "poem"

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        if ":" not in section.content:
            raise ValueError("a poem starts with its title and a colon")
        yield Row("verse", {"text": section.content}, section.span)


class TideTables(SourceReader):
    name = "tide-tables"
    suffixes = frozenset({".tide"})

    def read(self, data: bytes, name: str) -> Iterator[Any]:
        heights = {"low": "1 m"}
        when, height = data.decode().split()
        yield "prose", f"The tide is {heights[height]} at {when}.", {}


class Drawing(SectionType):
    name = "drawing"
    attrs: Mapping[str, Any] = {"path": Attr(required=True), "alt": Attr()}
    body = "optional"

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        from dlm_core.api import text_row

        yield text_row(section.attrs.get("alt") or "a drawing", section.span)

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("drawing", section.attrs["path"])]


class Smell(MediaKind):
    """Eight floats."""

    name = "smell"

    def probe(self, path: Path) -> Mapping[str, Any]:
        return {"bytes": path.stat().st_size}

    def load(self, blob: bytes, policy: Mapping[str, Any]) -> tuple[float, ...]:
        if len(blob) != 32:
            raise ValueError("a smell is eight floats of four bytes")
        return struct.unpack("<8f", blob)

    def fingerprint(self, policy: Mapping[str, Any]) -> str:
        return "smell-1"

    def control_input(self) -> tuple[float, ...]:
        return (0.0,) * 8

    def facts(self, loaded: tuple[float, ...]) -> Mapping[str, Any]:
        return {"notes": ["it is hardly there"] if max(loaded) < 0.1 else []}


class SmellSection(SectionType):
    name = "smell"
    attrs: Mapping[str, Any] = {"path": Attr(required=True)}

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        part = section_media("smell", section, doc)
        yield chat_row([Message("user", (part,)), Message.of("assistant", section.content)], section.span)

    def media(self, section: Section) -> Iterable[tuple[str, str]]:
        return [("smell", section.attrs["path"])]


class Pause(SectionType):
    name = "pause"
    body = "forbidden"

    def rows(self, section: Section, doc: Document) -> Iterable[Row]:
        return ()


class Preference(ConfigBlock):
    path = "training.preference"

    def model(self) -> Any:
        from pydantic import ConfigDict, create_model

        return create_model("Preference", __config__=ConfigDict(extra="forbid", frozen=True), enabled=(bool, False))


class Schedule(ConfigBlock):
    path = "training.schedule"

    def model(self) -> Any:
        from pydantic import ConfigDict, create_model

        config = ConfigDict(extra="forbid", frozen=True)
        return create_model("Schedule", __config__=config, first=(int, 1), last=(int, 9))

    def check(self, doc: Document) -> Iterable[Problem]:
        found = doc.config["training"]["schedule"]
        if found["first"] > found["last"]:
            yield Problem(doc.where("training.schedule.first"), "`first` comes after `last`", "swap them")


def plugin(**hooks: Any) -> ModuleType:
    module = ModuleType("example")
    for name, value in hooks.items():

        def hook(value: Any = value) -> Any:
            return value

        hook.__name__ = name
        setattr(module, name, hookimpl(lambda value=value: value))
    return module


def failing() -> ModuleType:
    def raises() -> None:
        raise RuntimeError("it cannot find its dictionary")

    module = ModuleType("tides")
    module.dlm_section_types = hookimpl(raises)  # type: ignore[attr-defined]
    return module


WALLED = BaseModel("walled", "/nowhere", parameters=1000, license="Walled-1.0", gated=True)


@dataclass(frozen=True)
class Around:
    """`plugins` are registered beside those installed, by name; `memory` shrinks the machine's, in bytes.

    `without` is a package of Python, `absent` a distribution of plugins, that is not installed.
    """

    prepare: Callable[[Path], None] = nothing
    plugins: Mapping[str, Callable[[], ModuleType]] = None  # type: ignore[assignment]
    memory: int | None = None
    without: str = ""
    absent: str = ""


def with_plugins(**plugins: Callable[[], ModuleType]) -> Around:
    return Around(plugins=plugins)


POEMS = plugin(dlm_section_types=[Poem()])
DRAWINGS = replace(
    with_plugins(drawings=lambda: plugin(dlm_section_types=[Drawing()])),
    prepare=files({"harbour.png": "not looked at"}),
)
NOSE = BaseModel("nose", "hub:made-up/nose", "1", accepts={"smell": {}})
SMELL_FILES = files(
    {"rose.smell": struct.pack("<8f", *[0.5] * 8), "faint.smell": bytes(32), "broken.smell": "a rose, half of it"}
)
SEEING = BaseModel("seeing", "hub:made-up/seeing", "1", accepts={"image": {}})
HEARING = BaseModel("hearing", "hub:made-up/hearing", "1", accepts={"audio": {}})


def picture(folder: Path) -> None:
    from dlm_image.testing import draw

    draw("blue", "stripes").save(folder / "harbour.png")


def recordings(folder: Path) -> None:
    import soundfile

    from dlm_audio.testing import RATE, play

    (folder / "bells").mkdir()
    for name in ("dusk", "noon"):
        soundfile.write(folder / f"bells/{name}.wav", play("high"), RATE)
    (folder / "bells/noon.txt").write_text("The bell rings twice.")


SMELLS = replace(
    with_plugins(
        smells=lambda: plugin(dlm_section_types=[SmellSection()], dlm_media_kinds=[Smell()], dlm_base_models=[NOSE])
    ),
    prepare=SMELL_FILES,
)
PREFERENCE = plugin(dlm_config_blocks=[Preference()])
AROUND: Mapping[str, Around] = {
    **({} if find_spec("dlm_preference") else {"DLM0115": with_plugins(preference=lambda: PREFERENCE)}),
    "DLM0116": with_plugins(schedules=lambda: plugin(dlm_config_blocks=[Schedule()])),
    "DLM0132": with_plugins(walled=lambda: plugin(dlm_base_models=[WALLED])),
    "DLM0205": DRAWINGS,
    "DLM0206": DRAWINGS,
    "DLM0207": DRAWINGS,
    "DLM0209": with_plugins(pauses=lambda: plugin(dlm_section_types=[Pause()])),
    "DLM0215": DRAWINGS,
    "DLM0216": replace(with_plugins(smells=lambda: plugin(dlm_section_types=[SmellSection()])), prepare=SMELL_FILES),
    "DLM0217": SMELLS,
    "DLM0218": SMELLS,
    "DLM0219": SMELLS,
    "DLM0225": with_plugins(poems=lambda: POEMS),
    "DLM0301": Around(absent="dlm-audio"),
    "DLM0303": with_plugins(tides=failing),
    "DLM0304": with_plugins(poems=lambda: POEMS, verses=lambda: plugin(dlm_section_types=[Poem()])),
    "DLM0305": Around(without="bitsandbytes"),
    "DLM0306": replace(
        with_plugins(tides=lambda: plugin(dlm_source_readers=[TideTables()])), prepare=files({"june.tide": "noon high"})
    ),
    "DLM0401": with_plugins(poems=lambda: POEMS),
    "DLM0405": Around(memory=530_000_000),
    "DLM0406": Around(memory=300_000_000),
    "DLM0501": Around(files({"guide.md": "A guide.\n"})),
    "DLM0502": Around(files({"texts/guide.md": "A guide.\n"})),
    "DLM0503": Around(files({"texts/a.txt": "One.\n", "texts/b.txt": "Two.\n"})),
    "DLM0504": Around(files({"texts/a.txt": "One.\n", "texts/b.txt": b"Two.\0\n"})),
    "DOC0001": Around(files({"faq.csv": "q,a\nWhen?,Noon.\nWho?,Oda, of Orro\n", "repaired.csv": "q,a\nWho?,Oda\n"})),
    "IMAGE0001": replace(with_plugins(bases=lambda: plugin(dlm_base_models=[SEEING])), prepare=picture),
    "AUDIO0001": replace(with_plugins(bases=lambda: plugin(dlm_base_models=[HEARING])), prepare=recordings),
    "GGUF0001": Around(partial(base, edit=with_gelu)),
    "GGUF0003": Around(partial(base, edit=without_template)),
    "HF0005": Around(partial(base, edit=in_eight_bits)),
    "DLM0505": Around(files({".env": "TOKEN=1\n", "guide.md": "A guide.\n"})),
    "DLM0506": Around(pipe),
    "DLM0508": Around(files({"texts/a.txt": "One.\n", "texts/.dlm/ignore/rules": "*.txt\n"})),
}


def as_bytes(example: str) -> bytes:
    """The document that an example on a page shows."""
    data = example.encode()
    for sign, meant in SIGNS.items():
        data = data.replace(sign.encode(), meant)
    return data


def plain(text: str, folder: Path) -> str:
    """What was said, without where it was said."""
    return text.replace(f"{folder}/", "").replace(str(folder), "/home/ada")


def say(code: str, command: str, example: str, folder: Path) -> Said:
    """What a command of a page says about its example, in a folder of its own."""
    around = AROUND.get(code, Around())
    around.prepare(folder)
    (folder / "notes.dlm").write_bytes(as_bytes(example))
    out, err = io.StringIO(), io.StringIO()
    here = mock.patch.dict(os.environ, _environment(folder))
    told = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with machine(around), contextlib.chdir(folder), here, told[0], told[1]:
        exit_code = invoke(shlex.split(command)[1:], lambda off: load(off, around))
    return Said(exit_code, out.getvalue() + err.getvalue())


def load(off: Iterable[str], around: Around) -> Plugins:
    present = [one for one in find_plugins() if one.dist != around.absent]
    with mock.patch.object(facade, "find_plugins", return_value=present):
        plugins = Plugins.load(off)
    for name, make in (around.plugins or {}).items():
        plugins.register(make(), name, f"dlm-{name}", "1.0")
    return plugins


@contextmanager
def machine(around: Around) -> Iterator[None]:
    """The machine and the installation of an example."""
    with small_machine(around.memory), lacking(around.without):
        yield


@contextmanager
def lacking(package: str) -> Iterator[None]:
    """An installation without a package."""
    from dlm_hf import imports

    def is_installed(name: str) -> bool:
        return name != package and before(name)

    before = imports.is_installed
    with mock.patch.object(imports, "is_installed", is_installed):
        yield


def _environment(folder: Path) -> dict[str, str]:
    return {"DLM_HOME": str(folder / "home"), "NO_COLOR": "1", "HOME": str(folder)}


@contextmanager
def small_machine(memory: int | None) -> Iterator[None]:
    if memory is None:
        yield
        return
    from dlm_core import preparing

    def small() -> Any:
        return replace(pipeline_read(), memory=memory, free_memory=memory, bf16=False)

    pipeline_read = preparing.read_hardware
    with mock.patch.object(preparing, "read_hardware", small):
        yield
