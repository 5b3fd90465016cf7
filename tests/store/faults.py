"""Stands in for `os` in dlm_core.store.atomic: counts every call that changes the disk, and fails one of them.

It keeps two models of the disk, so that a power cut can be acted out.  Data: a file that was not fsynced since its
last write comes back empty.  Names: a folder that was not fsynced comes back with the entries it had when it was.
"""

# ruff: noqa: PTH102, PTH104, PTH105, PTH106, PTH108, PTH115

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 99
ERRORS = {"enospc": errno.ENOSPC, "enospc-sticky": errno.ENOSPC, "eio": errno.EIO}
MODES = ("kill", "torn", *ERRORS, "power-data", "power-names", "kill-then-power")
DATABASE = ("runs.sqlite", "lock")


class Killed(BaseException):
    """Ends a command where a signal would: nothing in the product catches it, and no call works after it."""


class Faults:
    """Give it as `atomic.os`.  `at` is the call, counted from 1, before which `mode` strikes."""

    def __init__(self, home: Path, log: Path, mode: str = "none", at: int = 0) -> None:
        self.home, self.log, self.mode, self.at = home, log, mode, at
        self.count = 0
        self.dead = False
        self.trace: list[tuple[str, str]] = []
        self._side = log.with_name(log.name + ".files")
        self._synced: set[int] = set()
        self._names: dict[int, dict[str, int]] = {}
        self._folders: dict[int, int] = {}
        self.models_disk = mode.startswith(("power", "kill-then"))
        if self.models_disk:
            self._side.mkdir()
            self._baseline(home)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    # -- the calls ----------------------------------------------------------------------------------

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            return os.open(path, flags, mode)
        descriptor: int = self._call("open", path, lambda: os.open(path, flags, mode))
        self._synced.discard(os.fstat(descriptor).st_ino)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        if self.mode == "torn" and self.count + 1 == self.at:
            os.write(descriptor, data[: len(data) // 2])
        self._synced.discard(os.fstat(descriptor).st_ino)
        return self._call("write", descriptor, lambda: os.write(descriptor, data))

    def fsync(self, descriptor: int) -> None:
        self._call("fsync", descriptor, lambda: None)
        if self.models_disk:
            self._settle(descriptor)

    def ftruncate(self, descriptor: int, size: int) -> None:
        self._call("ftruncate", descriptor, lambda: os.ftruncate(descriptor, size))

    def replace(self, source: Path, target: Path) -> None:
        self._call("replace", target, lambda: os.replace(source, target))

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename", target, lambda: os.rename(source, target))

    def mkdir(self, path: Path) -> None:
        self._call("mkdir", path, lambda: os.mkdir(path))

    def unlink(self, path: Path) -> None:
        self._synced.discard(os.lstat(path).st_ino)
        self._call("unlink", path, lambda: os.unlink(path))

    def rmdir(self, path: Path) -> None:
        self._call("rmdir", path, lambda: os.rmdir(path))

    def _call(self, name: str, where: Path | int, work: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        self.count += 1
        path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else str(where)
        self.trace.append((name, path))
        if self.count == self.at or (self.mode == "enospc-sticky" and 0 < self.at <= self.count):
            self._strike(name, path)
        return work()

    def _strike(self, name: str, path: str) -> None:
        self.note(f"fault {name} {path}")
        if self.mode in ERRORS:
            raise OSError(ERRORS[self.mode], os.strerror(ERRORS[self.mode]), path)
        if self.models_disk:
            self.dead = True
            raise Killed
        os._exit(KILLED)

    def revive(self) -> None:
        """The next command: nothing fails any more, and what was not durable still is not."""
        self.dead, self.at = False, 0

    def release(self) -> None:
        for descriptor in self._folders.values():
            os.close(descriptor)

    def note(self, line: str) -> None:
        """Tell the parent process something that survives this one."""
        with self.log.open("a") as file:
            file.write(line + "\n")

    # -- the disk -----------------------------------------------------------------------------------

    def cut_power(self) -> None:
        """Leave `home` as a power cut would."""
        lose_data = self.mode != "power-names"
        if self.mode != "power-data":
            rebuilt = self._side / "home"
            self._rebuild(self.home.stat().st_ino, rebuilt, lose_data)
            shutil.rmtree(self.home)
            rebuilt.rename(self.home)
            return
        for path in self.home.rglob("*"):
            if path.is_file() and path.stat().st_ino not in self._synced:
                os.truncate(path, 0)

    def _baseline(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            descriptor = os.open(path, os.O_RDONLY)
            self._settle(descriptor)
            os.close(descriptor)

    def _settle(self, descriptor: int) -> None:
        """What is there now will be there after a power cut."""
        state = os.fstat(descriptor)
        if not stat.S_ISDIR(state.st_mode):
            self._synced.add(state.st_ino)
            return
        here = Path(f"/proc/self/fd/{descriptor}").resolve()
        self._names[state.st_ino] = {path.name: self._pin(path) for path in here.iterdir()}

    def _pin(self, path: Path) -> int:
        """Keep what a name leads to alive, so that its inode number is not used again."""
        number = path.lstat().st_ino
        if path.is_dir():
            if number not in self._folders:
                self._folders[number] = os.open(path, os.O_RDONLY)
                self._names.setdefault(number, {})
        elif not (self._side / str(number)).exists():
            os.link(path, self._side / str(number))
        return number

    def _rebuild(self, number: int, target: Path, lose_data: bool) -> None:
        target.mkdir()
        for name, child in self._names[number].items():
            if child in self._folders:
                self._rebuild(child, target / name, lose_data)
            elif not name.startswith(DATABASE):
                kept = child in self._synced or not lose_data
                (target / name).write_bytes((self._side / str(child)).read_bytes() if kept else b"")
