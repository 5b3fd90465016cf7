"""Write a version in other formats: choose exporters, ask them what stands in the way, keep what they wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .answering import Chosen, Wanted, choose, find_duty
from .api import (
    Artifact,
    Control,
    DlmError,
    DocumentError,
    Exporter,
    ExportFailedError,
    ExportJob,
    Mix,
    OpenModel,
    Problem,
    UsageError,
)
from .media import media_reader
from .pipeline import refuse_other_base
from .plugins import Plugins
from .preparing import Ready
from .spelling import advice
from .standing import Standing, measure_standing
from .store import Store, Version, Writer, open_store
from .store.atomic import make_folder, move, remove, sync_tree

#: Beside every export: how it was asked for.
RECORD = "export.json"

#: Its part about a router that the exported mix stands for.
_STANDING = "stands_for"


@dataclass(frozen=True, slots=True)
class Exported:
    """What one exporter left of which adapter or mix, and where it lies now.

    `standing` says what that mix costs where it stands for a router.
    """

    exporter: str
    folder: Path
    artifacts: tuple[Artifact, ...]
    adapter: str
    mix: Mix | None = None
    standing: Standing | None = None


def choose_exporters(names: Sequence[str], plugins: Plugins) -> list[Exporter]:
    """The exporters named, or those that belong to every run.  Raises PluginMissingError for an unknown name."""
    if names:
        return [plugins.get(plugins.exporters, name) for name in dict.fromkeys(names)]
    return [exporter for exporter in plugins.exporters.values() if exporter.in_run]


def read_options(given: Sequence[str], exporters: Sequence[Exporter]) -> dict[str, dict[str, str]]:
    """`NAME=VALUE` pairs for every exporter that has such an option.  Raises UsageError for anything else."""
    values = {
        exporter.name: {name: option.default for name, option in exporter.options.items()} for exporter in exporters
    }
    known = sorted({name for exporter in exporters for name in exporter.options})
    for pair in given:
        name, equals, value = pair.partition("=")
        takers = [exporter for exporter in exporters if name in exporter.options]
        if not equals or not takers:
            raise UsageError(f"no export option {name!r}", f"{advice(name, known, 'known here')}; write NAME=VALUE")
        for exporter in takers:
            choices = exporter.options[name].choices
            if choices and not set(value.split(",")) <= set(choices):
                raise UsageError(f"export option {name} cannot be {value!r}", advice(value, choices, "one of"))
            values[exporter.name][name] = value
    return values


def export_job(
    ready: Ready,
    adapter: Path,
    version: int,
    out: Path,
    options: Mapping[str, str],
    control: Control,
    system_prompt: str | None,
    chosen: Chosen | None = None,
) -> ExportJob:
    """The job for one exporter; `adapter` is a folder of adapters, trained with `system_prompt`.

    Without `chosen` it is for the first declared adapter.
    """
    name = chosen.name if chosen else next(iter(ready.adapters))

    def open_model() -> OpenModel:
        return _open(ready, adapter, system_prompt)

    return ExportJob(
        name=ready.doc.path.stem,
        dlm_id=ready.doc.id,
        version=version,
        base=ready.base,
        adapter=adapter / name,
        rows=chosen.own(ready.rows) if chosen and chosen.mix else ready.rows,
        system_prompt=system_prompt,
        config=ready.doc.config,
        options=options,
        out=out,
        open=open_model,
        control=control,
        where=ready.doc.where_value,
    )


def _open(ready: Ready, adapters: Path, system_prompt: str | None) -> OpenModel:
    """The base with the adapters of a folder.

    What is exported is the base's own weights, so an export is held against these, not against a quantized copy.
    """
    return ready.engine.open(ready.base, adapters, replace(ready.precision, quant="none"), system_prompt)


def preflight(
    exporters: Sequence[Exporter],
    options: Mapping[str, Mapping[str, str]],
    ready: Ready,
    control: Control,
    *,
    asked: bool,
) -> list[Exporter]:
    """Ask every exporter, before training, what stands in its way; returns those that can work.

    With `asked`, when they were named by the user, what stands in the way is raised: DocumentError for problems of the
    document, another DlmError for those of the machine.  Otherwise it is told as a warning and the exporter left out.
    """
    nowhere, prompt = open_store(ready.doc.id).root / "not-trained-yet", ready.doc.system_prompt
    able = []
    for exporter in exporters:
        job = export_job(ready, nowhere, 0, nowhere, options[exporter.name], control, prompt)
        try:
            problems = _problems(exporter, job)
            if asked:
                _refuse(problems, ready)
        except DlmError as error:
            if asked:
                raise
            control.emit("warning", message=f"{exporter.name}: {error.message}", hint=error.hint)
            continue
        _warn(problems, ready, control)
        if not any(problem.severity == "error" for problem in problems):
            able.append(exporter)
    return able


def _problems(exporter: Exporter, job: ExportJob) -> list[Problem]:
    """What the exporter says of a job, in its name."""
    with _named(exporter):
        return [replace(p, message=f"{exporter.name}: {p.message}") for p in exporter.preflight(job)]


def _refuse(problems: Sequence[Problem], ready: Ready) -> None:
    if any(problem.severity == "error" for problem in problems):
        raise DocumentError(ready.doc.path, problems)


def _warn(problems: Sequence[Problem], ready: Ready, control: Control) -> None:
    for problem in problems:
        told = replace(problem, severity="warning", hint=None).render(ready.doc.path)
        control.emit("warning", message=told, hint=problem.hint)


def _refuse_stray(artifact: object, out: Path) -> None:
    """Raise TypeError or ValueError unless this is an artifact, and a file that lies in `out`."""
    if not isinstance(artifact, Artifact):
        raise TypeError(f"it gave {artifact!r:.60}, not an Artifact")
    if not artifact.path.is_relative_to(out) or not artifact.path.is_file():
        raise ValueError(f"it gave {artifact.path}, which is no file in the folder of the export")


@contextmanager
def _named(exporter: Exporter) -> Iterator[None]:
    """Say of an error nobody foresaw which exporter it is from."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in the exporter {exporter.name!r}")
        raise


def is_exported(
    exporter: Exporter, options: Mapping[str, str], ready: Ready, version: Version, plugins: Plugins
) -> bool:
    """Whether the store holds what a run exports of this version in this format, made with these options."""
    folder = version.exports.get(exporter.name)
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8")) if folder else None
    except (OSError, ValueError):
        return False
    duty = find_duty(Wanted(), version, plugins)
    about = Mix("", duty.fixed().weights, 0, 0.0).text if duty else version.manifest["adapters"][0]
    if not isinstance(found, dict):
        return False
    return bool({**found, _STANDING: None} == {**_record(exporter, options, ready, version, about), _STANDING: None})


def trained_on(version: Version) -> str:
    """How the base's weights were quantized while a version was trained; `none` when they were not."""
    return str(version.manifest["plan"]["precision"]["quant"])


def _record(
    exporter: Exporter, options: Mapping[str, str], ready: Ready, version: Version, adapter_name: str
) -> dict[str, Any]:
    quant = trained_on(version)
    return ({} if quant == "none" else {"trained_on": quant}) | {
        "exporter": exporter.name,
        "adapter": adapter_name,
        "version": version.number,
        "options": dict(options),
        "export": dict(ready.doc.config["export"]),
    }


def export_version(
    exporter: Exporter,
    options: Mapping[str, str],
    ready: Ready,
    store: Store,
    version: Version,
    plugins: Plugins,
    control: Control,
    *,
    to: Path | None = None,
    wanted: Wanted | None = None,
    on_wait: Callable[[str], None] = lambda message: None,
    warn: bool = False,
) -> Exported:
    """Run one exporter in a scratch folder and keep the result whole, in the store or in `to`.

    With `warn` the exporter's warnings are told, as a run's `preflight` does before training.
    Raises DocumentError for what stands in the way, and ExportFailedError when the exporter's own check fails; nothing
    of it stays then.
    """
    refuse_other_base(version, ready.base)
    control.emit("export_start", exporter=exporter.name, version=version.number)
    if (quant := trained_on(version)) != "none":
        message = f"the adapter was trained on the base in {quant}; the export holds the base's own weights"
        control.emit("warning", message=message, hint="its answers can differ a little from those of `dlm prompt`")
    with (
        choose(wanted or Wanted(), version, ready.engine, ready.base, plugins, fixed=True) as chosen,
        store.writing(on_wait) as writer,
        _scratch(writer, exporter.name) as out,
    ):
        prompt = version.manifest["config"]["system_prompt"]
        job = export_job(ready, chosen.folder, version.number, out, options, control, prompt, chosen)
        job = replace(job, as_file=media_reader(plugins, ready.base.model.accepts, ready.base.cache).as_file)
        problems = _problems(exporter, job)
        _refuse(problems, ready)
        if warn:
            _warn(problems, ready, control)
        with _named(exporter):
            artifacts = tuple(exporter.export(job))
            for artifact in artifacts:
                _refuse_stray(artifact, out)
        if not artifacts:
            raise ExportFailedError(f"the exporter {exporter.name} wrote nothing")
        about = chosen.mix.text if chosen.mix else chosen.name
        standing = (
            measure_standing(chosen, ready, version.adapter, lambda folder: _open(ready, folder, prompt))
            if chosen.duty
            else None
        )
        told = {_STANDING: standing.to_json()} if standing else {}
        record = json.dumps({**_record(exporter, options, ready, version, about), **told}, indent=1)
        (out / RECORD).write_text(record, encoding="utf-8")
        folder = writer.keep_export(version.number, exporter.name, out) if to is None else _move(out, to)
    moved = tuple(replace(artifact, path=folder / artifact.path.relative_to(out)) for artifact in artifacts)
    control.emit("export", exporter=exporter.name, folder=str(folder), artifacts=moved, adapter=about, **told)
    return Exported(exporter.name, folder, moved, about, chosen.mix, standing)


@contextmanager
def _scratch(writer: Writer, name: str) -> Iterator[Path]:
    """A folder to export into, gone afterwards: an export that failed takes no room on the disk."""
    folder = writer.scratch(name)
    try:
        yield folder
    finally:
        remove(folder)


def _move(out: Path, to: Path) -> Path:
    sync_tree(out)
    for source in sorted(path for path in out.rglob("*") if path.is_file()):
        target = to / source.relative_to(out)
        make_folder(target.parent)
        move(source, target)
    return to
