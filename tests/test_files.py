"""The public helpers for files: whole or absent, durable, and nothing left beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlm_core import files


class Watch:
    """Notes what is synced, and can refuse it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuse: bool = False) -> None:
        self.synced: list[str] = []
        opened, synced = os.open, os.fsync
        names: dict[int, str] = {}

        def note_open(path, *more):
            names[found := opened(path, *more)] = Path(path).name
            return found

        def note_sync(descriptor):
            if refuse:
                raise OSError(28, "No space left on device")
            self.synced.append(names[descriptor])
            synced(descriptor)

        monkeypatch.setattr(files.os, "open", note_open)
        monkeypatch.setattr(files.os, "fsync", note_sync)


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(tmp_path, monkeypatch):
    watch = Watch(monkeypatch)
    files.write_file(tmp_path / "a.json", b"{}")
    assert (tmp_path / "a.json").read_bytes() == b"{}"
    part, folder = watch.synced
    assert part.startswith("a.json.")
    assert folder == tmp_path.name
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    Watch(monkeypatch, refuse=True)
    with pytest.raises(OSError, match="No space left"):
        files.write_file(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_tree_is_synced_from_the_leaves_up(tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "z").symlink_to(tmp_path / "gone")
    watch = Watch(monkeypatch)
    files.sync_tree(tmp_path)
    assert watch.synced == ["a", "c", "b", tmp_path.name]


def test_home_is_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    assert files.default_home() == tmp_path
    monkeypatch.delenv("DLM_HOME")
    assert files.default_home() == Path.home() / ".dlm"


def test_the_home_of_nobody_is_left_as_written():
    assert files.expand_home("~nobody-here/notes") == Path("~nobody-here/notes")
    assert files.expand_home("~/notes") == Path.home() / "notes"
