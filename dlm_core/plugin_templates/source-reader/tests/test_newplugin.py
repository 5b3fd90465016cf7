"""The reader, from a file beside a document to rows."""

from __future__ import annotations

import dlm_newplugin.plugin as plugin

from dlm_core.testing import Desk, conformance

FRONT = """
    training:
      sources:
        - path: logs
"""

test_conforms = conformance("dlm_newplugin.plugin")


def put(desk: Desk, text: bytes) -> None:
    (desk.folder / "logs").mkdir()
    (desk.folder / "logs" / "day.newplugin").write_bytes(text)


def test_a_file_is_learned(dlm_desk: Desk) -> None:
    put(dlm_desk, b"Monday\n\nThe fog lifted at noon.\n")
    path = dlm_desk.use(plugin).write("", FRONT)
    assert dlm_desk.run(path).code == 0
    (row,) = dlm_desk.rows("", FRONT)
    assert row.source == "day.newplugin"
    assert "# Monday\n\nThe fog lifted at noon." in row.data["text"]


def test_a_file_that_cannot_be_read_is_skipped_with_the_reason(dlm_desk: Desk) -> None:
    put(dlm_desk, b"Monday\n")
    (warning,) = dlm_desk.use(plugin).check("A line.\n", FRONT)
    assert warning.severity == "warning"
    assert "nothing below its title" in warning.message
