"""What the pipeline may rely on: versions, runs, exports, checking and clear refusals."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from dlm_core.api import RunFailedError, UsageError
from dlm_core.store import DamagedStoreError, Store, StoreError, accept, is_accepted, open_store, reports

from .samples import ID, export, files, floats, named, safetensors, train, write_adapter


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(ID, tmp_path)


def test_reading_creates_nothing(store: Store, tmp_path: Path) -> None:
    assert store.current() is None
    assert store.versions() == ()
    assert store.interrupted() is None
    assert store.runs.last() is None
    assert store.check() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../../etc", "0123456789abcdefghjkmnpqrs", ID + "0", ID[:-1] + "/"])
def test_an_id_is_never_a_path(name: str) -> None:
    with pytest.raises(UsageError, match="document id"):
        open_store(name)


def test_home_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "elsewhere"))
    assert open_store(ID).root == tmp_path / "elsewhere" / "store" / ID


def test_a_run_becomes_a_version(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0, 2.0)
    assert store.current() == version
    assert (version.number, version.run) == (1, 1)
    assert (version.adapter / "default" / "adapter_config.json").read_text() == '{"r": 8}\n'
    manifest = version.manifest
    assert manifest["seed"] == 42
    assert manifest["metrics"] == {"loss": 0.5}
    assert manifest["adapter"]["sha256"] == version.sha256 == version.adapter.name
    assert manifest["started"] <= manifest["created"] == version.created
    assert store.check() == []
    assert files(store) == named(store)


def test_the_opening_manifest_is_there_before_training(store: Store) -> None:
    with store.writing() as writer:
        run = writer.begin({"document": "d"})
        assert '"document": "d"' in (run.out.parent / "manifest.json").read_text()
        assert list(run.out.iterdir()) == list(run.work.iterdir()) == []


def test_the_same_adapter_is_stored_once(store: Store) -> None:
    with store.writing() as writer:
        first, second = train(writer, 1.0), train(writer, 1.0)
    assert (first.number, second.number) == (1, 2)
    assert first.adapter == second.adapter
    assert files(store) >= {f"adapters/{first.sha256}/default/adapter_model.safetensors"}


def test_a_damaged_adapter_is_healed_by_the_same_one(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0)
        (version.adapter / "default" / "adapter_config.json").write_text("{}")
        assert store.check() != []
        train(writer, 1.0)
    assert store.check() == []


def test_rollback(store: Store) -> None:
    with store.writing() as writer:
        first, second = train(writer, 1.0), train(writer, 2.0)
        assert writer.rollback(1) == first
        assert store.current() == first
        assert writer.rollback(1) == first
        third = train(writer, 3.0)
    assert third.number == 3
    assert store.versions() == (first, second, third)
    with pytest.raises(UsageError) as caught, store.writing() as writer:
        writer.rollback(9)
    assert caught.value.hint == "These versions exist: 1, 2, 3."
    assert store.current() == third


def test_no_version_yet(store: Store) -> None:
    with pytest.raises(UsageError) as caught:
        store.version(1)
    assert "dlm run" in (caught.value.hint or "")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_adapter_that_is_not_finite_is_refused(store: Store, value: float) -> None:
    with store.writing() as writer:
        before = train(writer, 1.0)
        run = writer.begin({})
        write_adapter(run.out, 1.0, value, 2.0)
        with pytest.raises(RunFailedError, match="NaN or infinity in lora_A") as caught:
            run.keep(run.out)
        run.fail(caught.value.message)
        writer.collect()
    assert store.current() == before
    last = store.runs.last()
    assert last is not None
    assert (last["state"], last["reason"]) == ("failed", caught.value.message)
    assert store.interrupted() is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("adapter_model.bin", "pickle"), ("optimizer.pt", "pickle"), ("broken.safetensors", "cannot be read")],
)
def test_what_a_trainer_must_not_leave(store: Store, name: str, message: str) -> None:
    with store.writing() as writer:
        run = writer.begin({})
        write_adapter(run.out, 1.0)
        (run.out / "default" / name).write_bytes(b"x" * 40)
        with pytest.raises(RunFailedError, match=message):
            run.keep(run.out)


def test_links_and_empty_results_are_refused(store: Store) -> None:
    with store.writing() as writer:
        run = writer.begin({})
        with pytest.raises(RunFailedError, match="no adapter weights"):
            run.keep(run.out)
        write_adapter(run.out, 1.0)
        (run.out / "default" / "link").symlink_to("/etc/passwd")
        with pytest.raises(RunFailedError, match="neither a file nor a folder"):
            run.keep(run.out)


def test_a_metric_that_is_not_finite_is_refused(store: Store) -> None:
    with store.writing() as writer:
        run = writer.begin({})
        write_adapter(run.out, 1.0)
        with pytest.raises(RunFailedError, match="not finite"):
            run.commit(run.keep(run.out), {"loss": math.nan})
    assert store.current() is None


def test_interrupt_and_resume(store: Store) -> None:
    with store.writing() as writer:
        train(writer, 1.0)
        run = writer.begin({"plan": "p"})
        (run.out / "half").write_text("half")
        (run.work / "step-5").mkdir()
        (run.work / "step-5" / "state.json").write_text("{}")
        run.interrupt(5)
    found = store.interrupted()
    assert found is not None
    assert (found.id, found.manifest["plan"]) == (run.id, "p")
    assert (store.runs.last() or {})["step"] == 5
    with store.writing() as writer:
        again = writer.resume(found)
        assert (again.id, again.work) == (run.id, run.work)
        assert list(again.out.iterdir()) == []
        assert (again.work / "step-5" / "state.json").read_text() == "{}"
        write_adapter(again.out, 2.0)
        version = again.commit(again.keep(again.out), {})
        writer.collect()
    assert (version.number, version.run, version.manifest["plan"]) == (2, run.id, "p")
    assert store.interrupted() is None
    assert files(store) == named(store)


def test_only_whole_checkpoints_count_and_the_newest_wins(store: Store) -> None:
    with store.writing() as writer:
        older = writer.begin({})
        (older.work / "state.json").write_text("{}")
        newer = writer.begin({})
        (newer.work / "step-1.part").mkdir()
        (newer.work / "step-1.part" / "state.json").write_text("{")
        (newer.work / "step-2").mkdir()
    assert getattr(store.interrupted(), "id", None) == older.id
    with store.writing() as writer:
        newest = writer.begin({})
        (newest.work / "state.json").write_text("{}")
    with store.writing() as writer:
        writer.collect()
    assert getattr(store.interrupted(), "id", None) == newest.id
    assert not older.work.exists()
    with store.writing() as writer:
        assert train(writer, 1.0).run > newest.id
    assert store.interrupted() is None


def test_the_next_writer_clears_away_what_dead_and_failed_runs_left(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0)
        writer.scratch("half-an-export")
        export(writer, 1, "gguf", "one")
        export(writer, 1, "gguf", "two")
        failed = writer.begin({})
        write_adapter(failed.out, 3.0)
        kept = failed.keep(failed.out)
        failed.fail("the exam said no")
        write_adapter(writer.begin({}).out, 2.0)
    assert kept.path.is_dir()
    with store.writing():
        left = files(store) - named(store)
    assert left == {"runs/000003"}
    assert store.current() == store.version(version.number)
    assert store.check() == []


def test_trouble_with_the_runs_database_is_told_at_the_end(store: Store) -> None:
    told: list[str] = []
    with store.writing(told.append) as writer:
        train(writer, 1.0)
        assert told == []
        store.runs.close()
        store.runs.path.write_bytes(b"no database at all, for more than a hundred bytes" * 9)
    with store.writing(told.append) as writer:
        train(writer, 2.0)
    assert [message.split(" (")[0] for message in told if "is now" in message] == ["the runs database was damaged"]
    assert len(store.versions()) == 2


def test_exports_are_in_the_runs_database(store: Store) -> None:
    with store.writing() as writer:
        writer.begin({}).fail("first")
        train(writer, 1.0)
        path = export(writer, 1, "gguf", "some text")
        export(writer, 1, "gguf", "other text")
    (row,) = store.runs.exports()
    (record,) = store.generation().exports
    expected = {"run": 2, "version": 1, "name": "gguf", "path": str(path), "size": 10, "sha256": record.sha256}
    assert {name: row[name] for name in expected} == expected


def test_run_numbers_are_never_used_twice(store: Store) -> None:
    numbers = []
    for _ in range(3):
        with store.writing() as writer:
            run = writer.begin({})
            numbers.append(run.id)
            run.fail("on purpose")
            writer.collect()
            store.runs.close()
            store.runs.path.unlink()
    assert numbers == [1, 2, 3]


def test_exports_are_kept_and_replaced(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0)
        path = export(writer, 1, "gguf", "one")
        assert path == store.root / "exports" / "v0001" / "gguf"
        train(writer, 2.0)
        assert export(writer, 1, "gguf", "two") == path
        generation = store.generation().number
        assert export(writer, 1, "gguf", "two") == path
        assert store.generation().number == generation
        export(writer, 2, "gguf", "three")
        writer.collect()
    assert (path / "model.gguf").read_text() == "two"
    assert store.version(1).exports == {"gguf": path}
    assert version.number == 1
    assert files(store) == named(store)


def test_an_export_may_come_from_anywhere(store: Store, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path
    folder = elsewhere / f"dlm-test-{os.getpid()}"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "model.gguf").write_bytes(os.urandom(3_000_000))
    expected = (folder / "deep" / "model.gguf").read_bytes()
    with store.writing() as writer:
        train(writer, 1.0)
        path = writer.keep_export(1, "gguf", folder)
    assert (path / "deep" / "model.gguf").read_bytes() == expected
    assert not folder.exists()
    assert store.check() == []


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x.part", "a\n"])
def test_an_export_name_is_never_a_path(store: Store, name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with store.writing() as writer:
        train(writer, 1.0)
        with pytest.raises(UsageError, match="name of an export"):
            writer.keep_export(1, name, tmp_path / "out")
        with pytest.raises(UsageError, match="no version 7"):
            writer.keep_export(7, "gguf", tmp_path / "out")


def test_collect_tells_what_it_removed_and_keeps_every_version(store: Store) -> None:
    with store.writing() as writer:
        for value in range(4):
            train(writer, float(value))
        lost = writer.begin({})
        write_adapter(lost.out, 9.0)
        kept = lost.keep(lost.out)
        assert f"adapters/{kept.sha256}" in writer.collect()
        assert writer.collect() == []
    assert [version.number for version in store.versions()] == [1, 2, 3, 4]
    assert all(version.adapter.is_dir() for version in store.versions())


def test_every_flipped_byte_is_found_and_named(store: Store) -> None:
    with store.writing() as writer:
        train(writer, 1.0)
        export(writer, 1, "gguf", "some text")
        train(writer, 2.0)
        writer.collect()
    assert store.check() == []
    for name in sorted(files(store)):
        path = store.root / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        for at in {0, len(data) // 3, len(data) // 2, len(data) - 1}:
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert any(name in problem or name == "HEAD" for problem in store.check()), (name, at)
        path.unlink()
        assert any(name in problem for problem in store.check()) or name == backup(store), name
        path.write_bytes(data)
    assert store.check() == []


def backup(store: Store) -> str:
    """The record before the current one may be missing: it is a convenience, nothing names it."""
    return f"generations/{store.generation().number - 1:06d}.json"


def test_the_hint_of_a_damaged_head_works(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0)
    head = store.root / "HEAD"
    for damage in ("", "7 " + "0" * 64 + "\n", "x"):
        head.write_text(damage)
        with pytest.raises(DamagedStoreError) as caught:
            store.current()
        with pytest.raises(DamagedStoreError), store.writing():
            pass
        head.write_text((caught.value.hint or "").split("`")[1])
        assert store.current() == version
    head.unlink()
    with pytest.raises(DamagedStoreError, match="HEAD is missing"), store.writing():
        pass


def test_a_damaged_manifest_does_not_hide_the_adapter(store: Store) -> None:
    with store.writing() as writer:
        version = train(writer, 1.0)
    (store.root / "manifests" / f"{version.record.manifest}.json").write_text("{}")
    current = store.current()
    assert current is not None
    assert current.adapter.is_dir()
    with pytest.raises(DamagedStoreError, match="manifest of version 1"):
        _ = current.manifest


def test_a_store_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    with pytest.raises(StoreError, match=r"not a directory|file exists"), open_store(ID, tmp_path).writing():
        pass


def test_licences(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert not is_accepted("llama", "llama3.2", home)
    accept("llama", "llama3.2", home)
    accept("gemma", "gemma", home)
    assert is_accepted("llama", "llama3.2", home)
    assert is_accepted("gemma", "gemma", home)
    assert not is_accepted("llama", "llama4", home)
    (home / "licences.json").write_text("[1")
    assert not is_accepted("llama", "llama3.2", home)
    accept("llama", "llama3.2", home)
    assert is_accepted("llama", "llama3.2", home)


def test_a_tensor_file_has_to_be_all_finite_in_every_type(tmp_path: Path) -> None:
    from dlm_core.store.finite import first_nonfinite

    path = tmp_path / "x.safetensors"
    nan = {"F64": (8, 0x7FF8 << 48), "F32": (4, 0x7FC0_0000), "F16": (2, 0x7E00), "BF16": (2, 0x7FC0)}
    infinity = {"F64": (8, 0xFFF0 << 48), "F32": (4, 0xFF80_0000), "F16": (2, 0xFC00), "BF16": (2, 0xFF80)}
    largest = {"F64": (8, 0x7FEF << 48), "F32": (4, 0x7F7F_FFFF), "F16": (2, 0x7BFF), "BF16": (2, 0x7F7F)}
    for dtype in nan:
        for count in (1, 70_000, 131_072):
            for (width, bits), expected in ((nan[dtype], "w"), (infinity[dtype], "w"), (largest[dtype], None)):
                for at in (0, count // 2, count - 1):
                    data = bytearray(count * width)
                    data[at * width : (at + 1) * width] = bits.to_bytes(width, "little")
                    path.write_bytes(safetensors({"a": ("F32", floats(1.0)), "w": (dtype, bytes(data))}))
                    assert first_nonfinite(path) == expected
    path.write_bytes(safetensors({"w": ("F64", (0x7FEF << 48).to_bytes(8, "little") * 9)}))
    assert first_nonfinite(path) is None
    path.write_bytes(safetensors({"ids": ("I64", b"\xff" * 16)}))
    assert first_nonfinite(path) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        (100).to_bytes(8, "little") + b"{}",
        safetensors({"w": ("F32", floats(1.0))})[:-1],
        safetensors({"w": ("F32", b"\0" * 5)}),
        safetensors({"w": ("F8_E4M3", b"\x7f")}),
        (2).to_bytes(8, "little") + b"[]",
        (12).to_bytes(8, "little") + b'{"w": "text"}'[:12],
    ],
)
def test_a_malformed_tensor_file_is_a_value_error(tmp_path: Path, data: bytes) -> None:
    from dlm_core.store.finite import first_nonfinite

    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError):
        first_nonfinite(tmp_path / "x")


def test_pages_of_old_runs_go_but_for_those_of_versions(store: Store) -> None:
    page = "<p>what a run came to</p>"
    with store.writing() as writer:
        version = train(writer, 1.0)
        for number in range(1, 60):
            reports.write_report(store.root, number, page)
        (store.root / "reports" / "mine.html").write_text(page)
    with store.writing() as writer:
        run = writer.begin({"document": {"sha256": "d" * 64}, "base": {"key": "tiny"}, "seed": 42})
        run.write_report(page)
        assert run.id == 2
        run.fail("no")
    assert version.run == 1
    assert list(store.reports()) == [1, *range(10, 60)]
    assert (store.root / "reports" / "mine.html").exists()
    assert list(reports.problems(store.root)) == []
