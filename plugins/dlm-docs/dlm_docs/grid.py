"""Tables of HTML to tables of Markdown, with cells that span rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Cells of one table that are drawn; a few numbers in the markup could ask for any amount.
MOST_CELLS = 1_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell holds, and how many columns and rows it covers."""

    blocks: Sequence[str]
    columns: int = 1
    rows: int = 1


def markdown_table(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """A table with its first row as header; nothing for what only lays out a page: one column, or text in blocks."""
    if any(len(cell.blocks) > 1 or any(_is_block(text) for text in cell.blocks) for row in rows for cell in row):
        return []
    lines = [line for line in _spread(rows) if line]
    width = max((len(line) for line in lines), default=0)
    if width < 2 or not any(any(line) for line in lines):
        return []
    drawn = [_draw([*line, *[""] * (width - len(line))]) for line in lines]
    return ["\n".join([drawn[0], _draw(["---"] * width), *drawn[1:]])]


def plain_table(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """The blocks of all cells, one after another."""
    return [text for row in rows for cell in row for text in cell.blocks]


def _is_block(text: str) -> bool:
    return text.startswith(("```", "- ", "1. ", "| ", "> "))


def _spread(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """The text of each place of the grid; a cell that covers several rows stands in each of them."""
    grid: list[list[str]] = []
    held: dict[int, tuple[int, str]] = {}  # column -> rows that are still covered, text
    cells = 0
    for row in rows:
        line: list[str] = []
        for cell in row:
            _fill(line, held)
            text = " ".join(cell.blocks)
            for extra in range(cell.columns):
                if cell.rows > 1:
                    held[len(line)] = (cell.rows - 1, "" if extra else text)
                line.append("" if extra else text)
        _fill(line, held)
        cells += len(line)
        if cells > MOST_CELLS:
            raise ValueError(f"a table of more than {MOST_CELLS} cells")
        grid.append(line)
    return grid


def _fill(line: list[str], held: dict[int, tuple[int, str]]) -> None:
    while (above := held.get(len(line))) is not None:
        left, text = above
        if left == 1:
            del held[len(line)]
        else:
            held[len(line)] = (left - 1, text)
        line.append(text)


def _draw(line: Sequence[str]) -> str:
    cells = (text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for text in line)
    return f"| {' | '.join(cells)} |"
