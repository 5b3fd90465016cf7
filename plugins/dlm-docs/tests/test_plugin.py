"""The plugin's declarations, and what importing them costs."""

from __future__ import annotations

import json
import subprocess
import sys

from dlm_core.testing import conformance
from dlm_docs import plugin

TALK = [{"role": "user", "content": "Who keeps the lamp?"}, {"role": "assistant", "content": "Oda Vell."}]

test_conforms = conformance(
    "dlm_docs.plugin", examples={"conversation": f"::conversation::\n{json.dumps(TALK)}\n{json.dumps(TALK * 2)}"}
)


def imported(code: str) -> set[str]:
    """Top-level names of the modules, not of the standard library, that some code imports."""
    told = f"import sys\n{code}\nprint(*{{m.split('.')[0] for m in sys.modules}} - set(sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_entry_point_imports_nothing_heavy() -> None:
    found = imported("import dlm_docs.plugin as p; p.dlm_source_readers(); p.dlm_section_types()")
    assert not found & {"lxml", "mammoth", "pypdfium2", "pydantic"}


def test_a_library_is_imported_for_files_of_its_kind_alone() -> None:
    found = imported("from dlm_docs.readers import Html; list(Html().read(b'<p>Hello', 'a.html'))")
    assert {"lxml", "mammoth", "pypdfium2"} & found == {"lxml"}


def test_no_suffix_has_two_readers() -> None:
    suffixes = [suffix for reader in plugin.dlm_source_readers() for suffix in reader.suffixes]
    assert len(suffixes) == len(set(suffixes)) == 13
