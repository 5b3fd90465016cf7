"""What every plugin keeps to, a function a rule.  Each yields one sentence for each thing that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ..api import Problem
from .light import heavy_imports
from .section_rules import rows_are_sound
from .subject import PLAIN, Subject

Rule = Callable[[Subject], Iterator[str]]

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_DASHED = re.compile(r"[a-z][a-z0-9_-]*")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_GRAMMARS = {
    "config block": re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*( of .+)?"),
    "section type": _WORD,
    "media kind": _WORD,
    "trainer": _WORD,
    "base model": _KEY,
    "explanation": re.compile(r"[A-Z]+[0-9]{4}"),
}


def it_loads(subject: Subject) -> Iterator[str]:
    """Every hook is known, returns what it should, and every class can be made."""
    if subject.plugin.error:
        notes = " ".join(getattr(subject.plugin.error, "__notes__", ()))
        yield f"{subject.plugin.why} {notes}".strip()
    elif not subject.plugin.hooks:
        yield "it has no function marked @hookimpl"


def it_is_light(subject: Subject) -> Iterator[str]:
    for name in heavy_imports(subject.name):
        yield f"importing it pulls in {name}: import that inside the functions that need it"


def it_is_typed(subject: Subject) -> Iterator[str]:
    package = import_module(subject.name.partition(".")[0])
    home = Path(package.__file__ or "").parent
    if hasattr(package, "__path__") and not (home / "py.typed").is_file():
        yield f"the package {package.__name__} has no py.typed, so that type checkers ignore its annotations"


def names_are_well_formed(subject: Subject) -> Iterator[str]:
    for registry in subject.plugins.registries():
        grammar = _GRAMMARS.get(registry.kind, _DASHED)
        for name, _ in subject.own(registry):
            if not grammar.fullmatch(name):
                yield f"{registry.kind} {name!r} is not of the form {grammar.pattern}"
        for name, claimants in registry.clashes.items():
            if subject.plugin in claimants:
                others = " and ".join(other.label for other in claimants if other is not subject.plugin)
                yield f"{registry.kind} {name!r} is also claimed by {others or 'itself'}"


def config_is_strict(subject: Subject) -> Iterator[str]:
    """Blocks forbid unknown keys, do not change, have a default for everything, and find their place."""
    for _, block in subject.own(subject.plugins.config_blocks):
        path, model = block.path, block.model()
        wrong = list(_model_complaints(model, path))
        yield from wrong
        if wrong:
            continue
        try:
            model.model_validate_json(model().model_dump_json(warnings=False))
        except ValueError as error:
            yield f"{path}: its own defaults are not valid: {error}"
        document = subject.document("text")
        if not model.model_fields.keys() <= _at(document.config, path).keys():
            yield f"{path}: it finds no place in the frontmatter; `dlm check` says why"
        yield from (f"{path}: check() complains of a plain document: {p.message}" for p in block.check(document))


def _at(config: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The block at a dotted path; empty when there is none."""
    for part in path.split("."):
        found = config.get(part)
        config = found if isinstance(found, Mapping) else {}
    return config


def _model_complaints(model: Any, path: str) -> Iterator[str]:
    from pydantic import BaseModel

    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        yield f"{path}: model() must give a pydantic model class, not {model!r}"
        return
    if model.model_config.get("extra") != "forbid":
        yield f'{path}: {model.__name__} must forbid unknown keys: model_config = ConfigDict(extra="forbid", …)'
    if not model.model_config.get("frozen"):
        yield f"{path}: {model.__name__} must not change: model_config = ConfigDict(frozen=True, …)"
    for name, field in model.model_fields.items():
        if field.is_required():
            yield f"{path}.{name}: it has no default"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _model_complaints(field.annotation, f"{path}.{name}")


def everything_has_help(subject: Subject) -> Iterator[str]:
    for name, section in subject.own(subject.plugins.section_types):
        if not section.help:
            yield f"section type {name}: no help"
        yield from (
            f'section type {name}, attribute {key}: Attr(doc="…")' for key, a in section.attrs.items() if not a.doc
        )
    for name, exporter in subject.own(subject.plugins.exporters):
        if not exporter.help:
            yield f"exporter {name}: no help"
        for key, option in exporter.options.items():
            if not option.help:
                yield f"exporter {name}, option {key}: no help"
            if option.default and option.choices and not set(option.default.split(",")) <= set(option.choices):
                yield f"exporter {name}, option {key}: the default {option.default!r} is not among its choices"
    for name, command in subject.own(subject.plugins.commands):
        if not command.help or "\n" in command.help:
            yield f"command {name}: its help must be one line"


def commands_can_be_chosen(subject: Subject) -> Iterator[str]:
    import click

    for name, command in subject.own(subject.plugins.commands):
        module, _, attribute = command.target.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            yield f"command {name}: {command.target} cannot be imported: {error}"
            continue
        if not isinstance(found, click.Command):
            yield f"command {name}: {command.target} is {type(found).__name__}, not a click command"
            continue
        yield from _report_complaints(name, command.reports)
        yield from _click_complaints(name, found)


def _report_complaints(name: str, folder: Path | None) -> Iterator[str]:
    """A folder of reports holds schemas, each for its own kind and with a title."""
    files = sorted(folder.glob("*.json")) if folder else []
    if folder and not files:
        yield f"command {name}: no schema `KIND.json` in its reports {folder}"
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            kind = found["properties"]["dlm"]["const"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            yield f"command {name}, report {path.name}: not a JSON Schema with `properties.dlm.const`: {error!r}"
            continue
        if kind != path.stem or not found.get("title"):
            yield f"command {name}, report {path.name}: it must be of the kind {path.stem!r} and have a title"


def _click_complaints(name: str, command: Any) -> Iterator[str]:
    import click

    if not command.help:
        yield f"command {name}: no docstring, so `dlm {name} --help` says nothing"
    for param in command.params:
        if isinstance(param, click.Option) and not param.help and not param.hidden:
            yield f"command {name}, option {param.opts[0]}: no help"
    if isinstance(command, click.Group):
        for inner, below in command.commands.items():
            yield from _click_complaints(f"{name} {inner}", below)


def readers_are_forgiving(subject: Subject) -> Iterator[str]:
    """Readers raise nothing but ValueError, whatever the bytes."""
    for name, reader in subject.own(subject.plugins.source_readers):
        for suffix in reader.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                yield f"source reader {name}: the suffix {suffix!r} must be lower case and start with a dot"
        for data in (b"", b"\xff\xfe\x00\x01", bytes(range(256)), b"a\r\nb\n", "naïve 東京".encode()):
            try:
                reader.sniff(data[:1024])
                found = list(reader.read(data, "example"))
            except ValueError:
                continue
            except Exception as error:
                yield f"source reader {name}: read({data[:8]!r}…) raised {error!r}; raise ValueError to skip a file"
                continue
            kinds = [one[0] for one in found if not isinstance(one, Problem)]
            if any(kind not in subject.plugins.section_types for kind in kinds):
                yield f"source reader {name}: it gave a section of a type that nobody here provides"


def trainers_wait_to_be_asked(subject: Subject) -> Iterator[str]:
    """A phase follows others than itself, takes some kind of row, and leaves plain documents alone."""
    document = subject.document(PLAIN)
    rows = _rows(document, subject)
    for name, trainer in subject.own(subject.plugins.trainers):
        for where, phases in (("after", trainer.after), ("before", trainer.before)):
            if strange := [phase for phase in phases if not _WORD.fullmatch(phase)]:
                yield f"trainer {name}: `{where}` has {strange[0]!r}, which is no phase's name"
            if name in phases:
                yield f"trainer {name}: it comes {where} itself"
        if not trainer.consumes:
            yield f"trainer {name}: it consumes no kind of row"
        if not trainer.takes_over <= trainer.consumes:
            yield f"trainer {name}: it takes over kinds of row that it does not consume"
        if trainer.wanted(document, ()):
            yield f"trainer {name}: it wants a document without a single row"
        if trainer.wanted(document, rows) and not subject.trains_plain_documents:
            yield f"trainer {name}: it wants a document that does not mention it"


def _rows(document: Any, subject: Subject) -> Any:
    from ..document import build_rows

    return build_rows(document, document.sections, subject.plugins)


def bases_can_be_chosen(subject: Subject) -> Iterator[str]:
    from ..document.new import new_document

    for key, base in subject.own(subject.plugins.base_models):
        for field in ("license", "summary", "parameters", "context"):
            if not getattr(base, field):
                yield f"base model {key}: no {field}"
        if base.location.startswith("hub:"):
            if not re.fullmatch(r"hub:[\w.-]+/[\w.-]+", base.location):
                yield f"base model {key}: {base.location!r} is not hub:org/name"
            if not base.revision and not base.gated:
                yield f"base model {key}: no revision; without one the same document trains on other weights tomorrow"
        elif not Path(base.location).is_dir() or not Path(base.location).is_absolute():
            yield f"base model {key}: {base.location!r} is not the absolute path of a folder"
        try:
            front = new_document(key, base.recommended, "").split("---\n")[1]
            subject.document("text", front.partition("dlm_version: 15\n")[2])
        except Exception as error:
            yield f"base model {key}: a document with its recommended settings is not valid: {error}"


def media_kinds_identify_themselves(subject: Subject) -> Iterator[str]:
    for name, kind in subject.own(subject.plugins.media_kinds):
        first, second = kind.fingerprint({}), kind.fingerprint({})
        if not isinstance(first, str) or not first or first != second:
            yield f"media kind {name}: fingerprint({{}}) must be the same text every time"
        if kind.control_input() is None:
            yield f"media kind {name}: control_input() gives nothing"
        try:
            found = kind.probe(Path("/nonexistent"))
        except (ValueError, OSError):
            continue
        if not isinstance(found, Mapping):
            yield f"media kind {name}: probe() must give a mapping"
        yield f"media kind {name}: probe() finds nothing wrong with a file that is not there; raise ValueError"


def policies_give_reasons(subject: Subject) -> Iterator[str]:
    from ..api import Hardware, Precision
    from .null.plugin import dlm_base_models

    document, (base,) = subject.document(PLAIN), dlm_base_models()
    gib = 2**30
    machines = [
        Hardware("cpu", "processor", 2, 8 * gib, 4 * gib, False),
        Hardware("cuda", "old card", 8, 8 * gib, 7 * gib, False),
        Hardware("cuda", "new card", 8, 80 * gib, 70 * gib, True, 2),
        Hardware("mps", "Apple silicon", 8, 16 * gib, 8 * gib, False),
    ]
    for name, policy in subject.own(subject.plugins.precision_policies):
        if policy.rank <= -100:
            yield f"precision policy {name}: with rank {policy.rank} core's own, of rank -100, decides first"
        for machine in machines:
            found = policy.decide(machine, base, document)
            if found is not None and (not isinstance(found, Precision) or not found.reason):
                yield f"precision policy {name}: on {machine.name} it gave {found!r}, which has no reason to print"


RULES: Mapping[str, Rule] = {
    "it loads": it_loads,
    "it is light": it_is_light,
    "it is typed": it_is_typed,
    "names are well formed": names_are_well_formed,
    "config is strict": config_is_strict,
    "everything has help": everything_has_help,
    "commands can be chosen": commands_can_be_chosen,
    "rows are sound": rows_are_sound,
    "readers are forgiving": readers_are_forgiving,
    "trainers wait to be asked": trainers_wait_to_be_asked,
    "bases can be chosen": bases_can_be_chosen,
    "media kinds identify themselves": media_kinds_identify_themselves,
    "policies give reasons": policies_give_reasons,
}
