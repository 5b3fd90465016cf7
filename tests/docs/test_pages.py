"""The pages say what is so: links lead somewhere, commands exist, examples are valid, nothing is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dlm_core.cli.group import dlm
from dlm_core.plugins import Plugins

from .pages import PAGES, ROOT, anchors, blocks, command_lines, headings, links, read

PLUGINS = Plugins.load()
EMITTED = re.compile(r"\bemit\(\s*\"(\w+)\"")


OURS = {"core", *(path.parent.name.removeprefix("dlm-") for path in (ROOT / "plugins").glob("*/pyproject.toml"))}


def sources() -> list[Path]:
    """The code that is delivered: core and this project's plugins, without their tests."""
    folders = [ROOT / "dlm_core", *(ROOT / "plugins").glob("*/dlm_*")]
    return [path for folder in folders for path in folder.rglob("*.py") if "tests" not in path.parts]


def command(name: str) -> click.Command:
    """The command with the options that routers give it."""
    found = dlm.get_command(click.Context(dlm, obj=PLUGINS), name)
    assert found is not None
    return found


def options(of: click.Command) -> set[str]:
    """The options of a command, those of kinds of media among them, and of the commands below it."""
    below = of.commands.values() if isinstance(of, click.Group) else ()
    params = of.get_params(click.Context(of, obj=PLUGINS))
    mine = [param for param in params if isinstance(param, click.Option)]
    return {name for param in mine for name in (*param.opts, *param.secondary_opts)}.union(*map(options, below))


def sections(text: str, level: int = 3) -> dict[str, str]:
    """Heading -> text below it, up to the next heading of this or a higher level."""
    pieces = re.split(rf"^(#{{2,{level}}}) (.+)$", text, flags=re.MULTILINE)
    return dict(zip(pieces[2::3], pieces[3::3], strict=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        target, _, fragment = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), f"{link}: no such file"
        assert not fragment or fragment in anchors(path.read_text(encoding="utf-8")), f"{link}: no such heading"


def test_every_page_is_reached_from_the_home_page() -> None:
    """Readers in the repository have no navigation but links; the site's own is checked when it is built."""
    home = ROOT / "docs" / "index.md"
    seen, left = set(), [home]
    while left:
        page = left.pop()
        seen.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text(encoding="utf-8"))}
        left += [path for path in targets - seen if path.suffix == ".md" and path not in left]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - seen == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_shown_exist_with_their_options(page: Path) -> None:
    for words in command_lines(page.read_text(encoding="utf-8")):
        name = next((word for word in words if not word.startswith(("-", "["))), None)
        assert name, f"dlm without a command: {' '.join(words)}"
        assert name in PLUGINS.commands, f"no command {name} (in: dlm {' '.join(words)})"
        given = {word.partition("=")[0] for word in words[words.index(name) + 1 :] if re.fullmatch(r"--?[a-z].*", word)}
        assert given <= options(command(name)), f"dlm {' '.join(words)}"


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "docs/_tools", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_has_a_section_with_its_options() -> None:
    described = sections(read("docs/reference/commands.md"))
    mine = {name for name in PLUGINS.commands if PLUGINS.commands.owner(name).name in OURS}
    assert {f"dlm {name}" for name in mine} == {heading for heading in described if heading.startswith("dlm ")}
    for name in mine:
        shown = re.findall(r"^<!-- generated: command (.+) -->$", described[f"dlm {name}"], re.MULTILINE)
        found = command(name)
        below = [f"{name} {inner}" for inner in found.commands] if isinstance(found, click.Group) else [name]
        assert shown == below, f"dlm {name}"


def test_every_exit_code_is_listed_where_people_look() -> None:
    from dlm_core.api import DlmError, errors

    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DlmError)}
    for page in ("docs/reference/exit-codes.md", "docs/how-to/use-in-scripts.md"):
        assert codes | {0} == {int(code) for code in re.findall(r"^\| (\d+) \|", read(page), re.MULTILINE)}, page


def test_every_environment_variable_is_listed() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sources())
    named = set(re.findall(r"\bDLM_[A-Z_]*[A-Z]\b", text)) - {"DLM_API"}  # a plugin module's attribute
    asked = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", text)) | named
    table = set(re.findall(r"`([A-Z_]+)`", read("docs/reference/environment.md")))
    assert {"DLM_HOME", "NO_COLOR"} <= asked, "the pattern no longer fits the code"
    assert {name for name in asked - table if not name.startswith("COMP_")} == set()  # a shell's own, for completion
    assert {name for name in table if name.startswith("DLM_")} <= named


def test_every_kind_of_event_is_described_and_no_other() -> None:
    emitted = {kind for path in sources() for kind in EMITTED.findall(path.read_text(encoding="utf-8"))}
    described = set(re.findall(r"^\| `(\w+)` \|", read("docs/reference/events.md"), re.MULTILINE))
    assert emitted, "no event found: the pattern no longer fits the code"
    assert described == emitted


def test_the_readme_opens_with_the_commands_that_are_tested() -> None:
    first, second, *_ = (block.strip() for block in blocks(read("README.md"), "sh"))
    assert first == (
        "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt"
        " && .venv/bin/dlm run examples/lighthouse.dlm"
    )
    assert second == read(".ci/run").strip().splitlines()[-1]


def test_the_document_in_the_readme_is_valid(tmp_path: Path) -> None:
    from dlm_core import checking

    text = next(block for block in blocks(read("README.md"), "text") if block.startswith("---\n"))
    path = tmp_path / "readme.dlm"
    path.write_text(text, encoding="utf-8")
    checked = checking.check(path, PLUGINS)
    doc, rows = checked.doc, checked.rows
    assert [row.role for row in rows] == ["train", "probe", "exam"]
    assert doc.warnings == ()


def test_every_frontmatter_key_is_in_the_format_page() -> None:
    from dlm_core.document.schema import Frontmatter

    text = read("docs/reference/format.md")

    def keys(model: type, above: str = "") -> list[str]:
        out = []
        for name, field in model.model_fields.items():
            inner = (
                field.annotation
                if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
                else None
            )
            out += keys(inner, f"{above}{name}.") if inner and name != "cache" else [f"{above}{name}"]
        return out

    assert [key for key in keys(Frontmatter) if f"`{key}`" not in text] == []
    for kind in PLUGINS.section_types:
        assert f"| `{kind}` |" in text


def test_each_page_has_one_title() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# "), page
        assert headings(text), page
