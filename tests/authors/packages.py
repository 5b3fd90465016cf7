"""Packages on `sys.path` as an installer would leave them, and processes that see them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tomli


def as_installed(package: Path, site: Path) -> None:
    """Put a package folder's modules and its entry points into `site`, without an installer."""
    project = tomli.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for module in (path for path in package.iterdir() if path.name.startswith("dlm_")):
        shutil.copytree(module, site / module.name)
    entry_points(site, project["name"], project["version"], project["entry-points"]["dlm"])


def entry_points(site: Path, dist: str, version: str, entries: dict[str, str]) -> None:
    """A distribution's metadata, with entry points of the group `dlm`."""
    info = site / f"{dist.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[dlm]", *lines, ""]))


def environment(site: Path, **extra: str) -> dict[str, str]:
    """The environment without DLM's own variables, with `site` on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DLM_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **extra}


def pytest_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, in `folder`, with `folder/site` installed."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    plain = ["-q", "-c", "pytest.ini", "--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *arguments],
        cwd=folder,
        env=environment(folder / "site"),
        capture_output=True,
        text=True,
    )
