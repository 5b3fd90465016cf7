"""From a name to a base model: folders that are there, folders that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm_core.api import BaseMissingError, UsageError
from dlm_core.planning.bases import base_from_name
from dlm_core.plugins import Plugins

PLUGINS = Plugins.load(group="no.such.group")


def test_a_folder_starts_at_the_document(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = base_from_name("./base", PLUGINS, tmp_path)
    assert (base.key, base.location) == ("./base", str((tmp_path / "base").resolve()))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("./nowhere", "does not exist"),
        ("~no-such-user/base", "does not exist"),
        ("./loop", "loop|does not exist"),
        ("./" + "x" * 5000, "too long"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BaseMissingError, match=why) as caught:
        base_from_name(name, PLUGINS, tmp_path)
    assert caught.value.hint


def test_a_hub_name_has_a_revision(tmp_path: Path) -> None:
    base = base_from_name("hf:org/name@main", PLUGINS, tmp_path)
    assert (base.location, base.revision) == ("hub:org/name", "main")


def test_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no base model 'nonesuch'"):
        base_from_name("nonesuch", PLUGINS, tmp_path)
