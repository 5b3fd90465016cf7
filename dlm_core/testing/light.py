"""A plugin's entry-point module is imported whenever `dlm` starts, so it may import next to nothing."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
sys.path[:] = {path!r}
import dlm_core.api, dlm_core.hookspecs
before = set(sys.modules)
import {module}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""


def heavy_imports(module: str) -> list[str]:
    """The packages that importing `module` pulls in beyond the standard library, core and its own package.

    Raises ImportError with the reason when it cannot be imported.
    """
    code = _CODE.format(path=sys.path, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise ImportError(f"{module} cannot be imported:\n{done.stderr}")
    fine = sys.stdlib_module_names | {"dlm_core", "pluggy", module.partition(".")[0]}
    return [name for name in done.stdout.split() if name not in fine and not name.startswith("__editable__")]


def assert_light(module: str) -> None:
    """Fail when importing `module` pulls in anything but the standard library, `dlm_core` and its own package."""
    found = heavy_imports(module)
    assert not found, f"importing {module} pulls in {', '.join(found)}: import them inside the functions that need them"
