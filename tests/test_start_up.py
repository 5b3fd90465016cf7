"""What each command imports: start-up rots one import at a time, and nobody sees it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dlm_core.plugins import Plugins

#: Packages that cost ten milliseconds or more, and those that pull them in.
HEAVY = set(
    """accelerate asyncio click.shell_completion datasets email gguf http huggingface_hub importlib.metadata jinja2
    multiprocessing numpy pandas peft PIL psutil pydantic rich ruamel safetensors scipy sqlite3 tokenizers torch
    transformers trl ulid xllamacpp yaml""".split()  # noqa: SIM905
)
PARSING = {"pydantic", "yaml", "importlib.metadata", "email"}  # pydantic imports the last two
STORE = {"sqlite3"}
TABLES = {"rich"}
COUNTING = {"tokenizers", "jinja2"}  # tokens of rows in their chat template

#: Command line -> what it may import of these.  `DOCUMENT` is a small document.
LOOKING = {
    "bases": TABLES,
    "bases --json": set(),
    "check DOCUMENT": PARSING,
    "check --json DOCUMENT": PARSING,
    "show DOCUMENT": PARSING | STORE | TABLES,
    "show --json DOCUMENT": PARSING | STORE,
    "plan DOCUMENT": PARSING | STORE | TABLES | COUNTING,
    "plan --json DOCUMENT": PARSING | STORE | COUNTING,
    "plugins": PARSING - {"yaml"} | TABLES,  # it lists the keys that plugins add
    "plugins --json": PARSING - {"yaml"},
    "doctor": {"importlib.metadata", "email"} | STORE | TABLES,
    "doctor --json": {"importlib.metadata", "email"} | STORE,
    "schema": PARSING - {"yaml"},
    "explain": set(),
    "explain DLM0101": set(),
    "completion bash": {"click.shell_completion"},
}
COMMANDS = sorted(Plugins.load().commands)


def heavy_imports(desk, *arguments: object) -> set[str]:
    """Which of `HEAVY` a command line has imported when it is done, in a fresh process."""
    code = (
        "import json, sys\nfrom dlm_core.cli import invoke\n"
        "code = invoke(sys.argv[1:])\nprint('\\n@@' + json.dumps([code, *sys.modules]))"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=desk.folder, env=desk.environment())
    code, *modules = json.loads(done.stdout.rpartition("@@")[2])
    assert code == 0, done.stderr
    return HEAVY & set(modules)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(desk, arguments):
    assert heavy_imports(desk, *arguments) <= ({"click.shell_completion"} if arguments[0] == "completion" else set())


@pytest.mark.parametrize("line", LOOKING)
def test_looking_imports_no_more_than_it_needs(desk, line):
    document = desk.write(training="") if "DOCUMENT" in line else None
    arguments = [document if word == "DOCUMENT" else word for word in line.split()]
    assert heavy_imports(desk, *arguments) <= LOOKING[line]


def test_the_version_imports_no_command_line():
    code = (
        "import sys\nfrom dlm_core.cli import main\ntry:\n    main(['--version'])\n"
        "except SystemExit:\n    print('click' in sys.modules, 'dlm_core.plugins' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dlm ")
    assert done.stdout.endswith("False False\n")
