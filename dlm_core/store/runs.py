"""The runs database: what happened during each run, in SQLite.

It can be made anew at any time and nothing depends on it, so no trouble with it ever stops a run: a damaged database
is set aside, a locked one is tried again, and `take_warnings` tells what happened.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..api import DlmError
from . import atomic
from .generations import now

Statement = tuple[str, tuple[Any, ...]]
Rows = list[dict[str, Any]]

#: Each table's own columns; anything else a caller records goes into `data` as JSON.
TABLES: Mapping[str, tuple[str, ...]] = {
    "runs": ("id", "state", "started", "finished", "document", "base", "version", "step", "reason"),
    "steps": ("run", "phase", "step", "loss", "learning_rate", "grad_norm", "tokens", "seconds"),
    "evals": ("run", "phase", "step", "loss"),
    "exam": (
        *("run", "row", "section", "role", "question", "expected", "answer"),
        *("exact", "loss_before", "loss_after", "verdict"),
    ),
    "exports": ("run", "version", "name", "path", "size", "sha256", "created"),
}

#: One entry a schema version; `PRAGMA user_version` counts those applied.
MIGRATIONS = (
    """
    CREATE TABLE runs (id INTEGER PRIMARY KEY, state TEXT NOT NULL, started TEXT, finished TEXT, document TEXT,
        base TEXT, version INTEGER, step INTEGER, reason TEXT, data TEXT);
    CREATE TABLE steps (run INTEGER NOT NULL, phase TEXT NOT NULL, step INTEGER NOT NULL, loss REAL,
        learning_rate REAL, grad_norm REAL, tokens INTEGER, seconds REAL, data TEXT, PRIMARY KEY (run, phase, step));
    CREATE TABLE evals (run INTEGER NOT NULL, phase TEXT NOT NULL, step INTEGER NOT NULL, loss REAL, data TEXT,
        PRIMARY KEY (run, phase, step));
    CREATE TABLE exam (run INTEGER NOT NULL, row TEXT NOT NULL, section TEXT, role TEXT, question TEXT, expected TEXT,
        answer TEXT, exact INTEGER, loss_before REAL, loss_after REAL, verdict TEXT, data TEXT,
        PRIMARY KEY (run, row));
    CREATE TABLE exports (run INTEGER, version INTEGER NOT NULL, name TEXT NOT NULL, path TEXT, size INTEGER,
        sha256 TEXT, created TEXT, data TEXT, PRIMARY KEY (version, name));
    """,
)

_INSERT = {
    table: f"INSERT OR REPLACE INTO {table} ({', '.join(names)}, data) VALUES ({'?, ' * len(names)}?)"
    for table, names in TABLES.items()
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SECONDS_BETWEEN_WRITES = 1.0
_MOST_SECONDS_BETWEEN_WRITES = 60.0
_MOST_WAITING = 100_000


class Runs:
    """The database at `path`.  Writing methods never raise; rows are written together, about once a second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[Statement] = []
        self._pause = _SECONDS_BETWEEN_WRITES
        self._written = time.monotonic()
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._warnings: list[str] = []

    # -- writing ------------------------------------------------------------------------------------

    def start(self, run: int, document: str | None = None, base: str | None = None, **data: Any) -> None:
        """Open the row of a run; one that is continued keeps its earlier steps."""
        self._put("runs", id=run, state="running", started=now(), document=document, base=base, **data)
        self.flush()

    def step(self, run: int, phase: str, step: int, **values: Any) -> None:
        """One optimizer step: `loss`, `learning_rate`, `grad_norm`, `tokens`, `seconds` and anything else."""
        self._put("steps", run=run, phase=phase, step=step, **values)
        if time.monotonic() - self._written > self._pause:
            self.flush()

    def eval(self, run: int, phase: str, step: int, loss: float, **data: Any) -> None:
        """One measurement on the validation rows."""
        self._put("evals", run=run, phase=phase, step=step, loss=loss, **data)

    def exam(self, run: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """The exam's rows, each with `row` (its key) and the columns of the table."""
        for row in rows:
            self._put("exam", run=run, **row)
        self.flush()

    def export(self, version: int, name: str, run: int | None = None, **values: Any) -> None:
        """A finished export of a version."""
        self._put("exports", run=run, version=version, name=name, created=now(), **values)
        self.flush()

    def finish(
        self, run: int, state: str, version: int | None = None, step: int | None = None, reason: str | None = None
    ) -> None:
        """Close a run's row with `committed`, `failed`, `interrupted` or `killed`."""
        query = "UPDATE runs SET state = ?, finished = ?, version = ?, step = ?, reason = ? WHERE id = ?"
        with self._lock:
            self._waiting.append((query, (state, now(), version, step, reason, run)))
        self.flush()

    def describe(self, run: int, **values: Any) -> None:
        """What is known of a run as a whole, such as forecast and reality, as JSON beside its own columns."""
        text = json.dumps(values, default=str, skipkeys=True)
        with self._lock:
            self._waiting.append(("UPDATE runs SET data = ? WHERE id = ?", (text, run)))

    def mark_dead(self, committed: Mapping[int, int]) -> None:
        """Close the rows of runs that died; for whoever holds the lock.  `committed` maps runs to versions."""
        if self.path.exists():
            for row in self._select("SELECT id FROM runs WHERE state = 'running'"):
                version = committed.get(row["id"])
                self.finish(row["id"], "committed" if version else "killed", version)

    def flush(self) -> None:
        """Write what has gathered; when that does not work, keep it and wait longer before the next attempt."""
        with self._lock:
            if not self._waiting or self._attempt():
                self._waiting.clear()
                self._pause = _SECONDS_BETWEEN_WRITES
            else:
                del self._waiting[:-_MOST_WAITING]
                self._pause = min(2 * self._pause, _MOST_SECONDS_BETWEEN_WRITES)
            self._written = time.monotonic()

    def close(self) -> None:
        with self._lock:
            self.flush()
            self._disconnect()

    def take_warnings(self) -> list[str]:
        """What went wrong since the last call; each is worth showing once."""
        taken, self._warnings = self._warnings, []
        return taken

    # -- reading ------------------------------------------------------------------------------------

    def list(self) -> Rows:
        """Every run, oldest first."""
        return self._select("SELECT * FROM runs ORDER BY id")

    def last(self) -> dict[str, Any] | None:
        """The newest run, or None."""
        rows = self._select("SELECT * FROM runs ORDER BY id DESC LIMIT 1")
        return rows[0] if rows else None

    def described(self, most: int) -> Rows:
        """The newest runs of which something is known as a whole, newest first."""
        return self._select("SELECT * FROM runs WHERE data IS NOT NULL ORDER BY id DESC LIMIT ?", most)

    def steps(self, run: int) -> Rows:
        return self._select("SELECT * FROM steps WHERE run = ? ORDER BY rowid", run)

    def evals(self, run: int) -> Rows:
        return self._select("SELECT * FROM evals WHERE run = ? ORDER BY rowid", run)

    def exams(self, run: int) -> Rows:
        return self._select("SELECT * FROM exam WHERE run = ? ORDER BY rowid", run)

    def exports(self) -> Rows:
        return self._select("SELECT * FROM exports ORDER BY version, name")

    # -- the database -------------------------------------------------------------------------------

    def _put(self, table: str, **values: Any) -> None:
        own = TABLES[table]
        rest = {name: value for name, value in values.items() if name not in own and value is not None}
        data = json.dumps(rest, default=str, skipkeys=True) if rest else None
        with self._lock:
            self._waiting.append((_INSERT[table], (*(_plain(values.get(name)) for name in own), data)))

    def _select(self, query: str, *values: Any) -> Rows:
        self.flush()
        if not self.path.exists():
            return []
        # A store on read-only media has no place for the files WAL needs; `immutable` does without.
        for mode in ("mode=ro", "mode=ro&immutable=1"):
            try:
                connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?{mode}", uri=True, timeout=1.0)
                try:
                    connection.row_factory = sqlite3.Row
                    return [_record(row) for row in connection.execute(query, values)]
                finally:
                    connection.close()
            except sqlite3.Error as error:
                reason = error
        self._warn(f"the runs database {self.path} cannot be read: {reason}")
        return []

    def _attempt(self) -> bool:
        """Write what waits in one transaction; a damaged database is set aside and a new one written."""
        for _ in range(2):
            try:
                with self._connect() as database:
                    for statement in self._waiting:
                        self._execute(database, statement)
                return True
            except sqlite3.Error as error:
                self._disconnect()
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                    self._warn(f"the runs database {self.path} is not being written: {error}")
                    return False
                if not self._set_aside(str(error)):
                    return False
        return False

    def _execute(self, database: sqlite3.Connection, statement: Statement) -> None:
        """Run one statement; a row that can never be written must not hold up those behind it."""
        try:
            database.execute(*statement)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError) as error:
            self._warn(f"a row for the runs database was left out: {error}")

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path, timeout=1.0, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _migrate(connection)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error as error:
                self._warn(f"the runs database {self.path} did not close: {error}")

    def _set_aside(self, reason: str) -> bool:
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            atomic.remove(aside)
            atomic.move(self.path, aside)
            for suffix in ("-wal", "-shm"):
                atomic.remove(self.path.with_name(self.path.name + suffix))
        except DlmError as error:
            self._warn(f"the runs database {self.path} is damaged and stays so: {error.message}")
            return False
        self._warn(f"the runs database was damaged ({reason}); it is now {aside}, and a new one was made")
        return True

    def _warn(self, message: str) -> None:
        if message not in self._warnings:
            self._warnings.append(message)


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise sqlite3.OperationalError(f"it was made by a newer dlm (schema {version})")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")


def _record(row: sqlite3.Row) -> dict[str, Any]:
    """A row as a dict, with what was recorded beyond the table's columns merged in."""
    values = dict(row)
    return {**json.loads(values.pop("data", None) or "{}"), **values}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else json.dumps(value, default=str, skipkeys=True)
