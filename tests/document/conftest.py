"""Documents for tests: plugins made on the spot, and short ways to read text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from pydantic import ConfigDict, Field

from dlm_core import hookimpl
from dlm_core.api import Attr, ConfigBlock, Document, DocumentError, Problem, Row, SectionType, text_row
from dlm_core.builtin.sections import Instruction, Prose
from dlm_core.document import parse_document
from dlm_core.plugins import Plugins

HEAD = "---\ndlm_id: 01K9ABCDEFGHJKMNPQRSTVWXYZ\ndlm_version: 15\nbase_model: tiny\n"


class Picture(SectionType):
    name = "picture"
    attrs = {"path": Attr(required=True), "alt": Attr()}  # noqa: RUF012
    body = "optional"

    def rows(self, section: Any, doc: Document) -> Iterable[Row]:
        yield text_row(section.content or section.attrs.get("alt", ""), section.span)

    def media(self, section: Any) -> Iterable[tuple[str, str]]:
        return [("picture", section.attrs["path"])]


class Break(SectionType):
    name = "break"
    body = "forbidden"

    def rows(self, section: Any, doc: Document) -> Iterable[Row]:
        return iter(())


class Picky(SectionType):
    """Takes mined markers; refuses content that says so."""

    name = "picky"
    markers = frozenset({"dlm-auto-mined", "dlm-auto-harvest"})

    def rows(self, section: Any, doc: Document) -> Iterable[Row | Problem]:
        if section.content == "refuse":
            raise ValueError("refused as asked")
        if section.content == "crash":
            raise TypeError("a bug")
        yield text_row(section.content, section.span)


class HyperModel(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    beta: float = Field(0.1, ge=0, le=1)
    learning_rate: float = Field(5e-6, gt=0)
    num_epochs: int = Field(1, ge=1)


class PreferenceModel(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    enabled: bool = False
    loss_type: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    reference: Literal["base", "pre_adapter"] = "pre_adapter"
    hyperparams: HyperModel = Field(default_factory=HyperModel)


class QuantModel(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    default_quant: Literal["Q4_K_M", "Q8_0"] = "Q4_K_M"


class Preference(ConfigBlock):
    path = "training.preference"

    def model(self) -> type[pydantic.BaseModel]:
        return PreferenceModel

    def check(self, doc: Document) -> Iterable[Problem]:
        block = doc.block(PreferenceModel)
        if block.enabled and block.reference == "base":
            yield Problem(doc.where("training.preference.reference"), "no reference here", "choose another")


class Quant(ConfigBlock):
    path = "export"

    def model(self) -> type[pydantic.BaseModel]:
        return QuantModel


class CorePlugin:
    @hookimpl
    def dlm_section_types(self) -> Iterable[SectionType]:
        return [Prose(), Instruction()]


class TestPlugin:
    __test__ = False

    @hookimpl
    def dlm_section_types(self) -> Iterable[SectionType]:
        return [Picture(), Break(), Picky()]

    @hookimpl
    def dlm_config_blocks(self) -> Iterable[ConfigBlock]:
        return [Preference(), Quant()]


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    made = Plugins()
    made.register(CorePlugin(), "core", "dlm-core", "0.1")
    made.register(TestPlugin(), "extra", "dlm-extra", "1.0")
    return made


@pytest.fixture(scope="session")
def parse(plugins: Plugins) -> Callable[..., Document]:
    def run(text: str | bytes, path: Path = Path("a.dlm")) -> Document:
        return parse_document(text.encode() if isinstance(text, str) else text, path, plugins)

    return run


@pytest.fixture(scope="session")
def problems(parse: Callable[..., Document]) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a document that is refused."""

    def run(text: str | bytes, path: Path = Path("a.dlm")) -> tuple[Problem, ...]:
        with pytest.raises(DocumentError) as caught:
            parse(text, path)
        return caught.value.problems

    return run


@pytest.fixture(scope="session")
def doc() -> Callable[..., str]:
    """A document's text: `front` lines follow line 4, the body starts after `---`."""

    def make(body: str = "Hello.\n", front: str = "") -> str:
        return f"{HEAD}{front}---\n{body}"

    return make
