"""A page of sections, tables and charts, written as one HTML file or as Markdown with its pictures beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sightlab import charts
from sightlab.errors import StudyError, one_line
from sightlab.report import figures
from sightlab.report.run_page import environment
from sightlab.report.writer import write_page
from sightlab.version import __version__


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str
    kind = "text"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    lines: tuple[str, ...]
    kind = "bullets"


@dataclass(frozen=True)
class Table:
    """A table. right: indices of the columns that hold numbers. caption: what it shows.

    folded: the summary to click on for a long table of interest to few; without it the table is open.

    Raises ValueError for a row that has more or fewer cells than the header.

    >>> Table(("network", "accuracy"), (("cnn", "89.2%"),), right=(1,)).rows[0][0]
    'cnn'
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    caption: str = ""
    folded: str = ""
    kind = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"row {row[:1]} has {len(row)} cells, the header has {len(self.header)}")


@dataclass(frozen=True)
class Picture:
    """A chart or a diagram. name: of its file, without a suffix. label: what it shows, for screen readers."""

    name: str
    svg: str
    label: str
    caption: str = ""
    kind = "picture"


@dataclass(frozen=True)
class Code:
    """Shell commands."""

    lines: tuple[str, ...]
    kind = "code"


Block = Text | Bullets | Table | Picture | Code


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Article:
    """A page. kind: the sort of page; about: one line below the title."""

    title: str
    kind: str
    about: str
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """Every picture, in order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Picture)]


def page_file(path: Path) -> Path:
    """The path of a page, validated. Raises StudyError for another suffix than .html or .md.

    >>> page_file(Path("report.md")).name
    'report.md'
    """
    if path.suffix not in (".html", ".md"):
        raise StudyError(f"--out {path}: a page is .html or .md, such as {path.with_suffix('.html')}")
    return path


def write_article(article: Article, path: Path) -> list[Path]:
    """Write an article in the format of the path's suffix; returns the files, the page first. Raises RunError."""
    return write_html(article, path) if path.suffix == ".html" else write_markdown(article, path)


def write_html(article: Article, path: Path) -> list[Path]:
    """Write an article as one self-contained HTML file. Raises RunError where it cannot be written."""
    drawings = {one.name: figures.embed(one.svg, one.label) for one in article.pictures}
    page = environment().get_template("article.html.jinja")
    written = datetime.now(UTC).isoformat(timespec="seconds")
    write_page(
        path, page.render(article=article, title=article.title, drawings=drawings, version=__version__, written=written)
    )
    return [path]


def write_markdown(article: Article, path: Path) -> list[Path]:
    """Write an article as Markdown, its pictures as SVG in a folder of the page's name beside it.

    Returns the files, the page first. Raises RunError where they cannot be written.
    """
    folder = path.with_suffix("")
    write_page(path, markdown(article, folder.name))
    files = [folder / f"{one.name}.svg" for one in article.pictures]
    for file, one in zip(files, article.pictures, strict=True):
        charts.save_svg(one.svg, file)
    return [path, *files]


def markdown(article: Article, folder: str) -> str:
    """An article as Markdown. folder: of its pictures, relative to the page."""
    parts = [f"# {article.title}", article.about]
    for section in article.sections:
        parts.append(f"## {section.title}")
        parts += [block_markdown(block, folder) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def block_markdown(block: Block, folder: str) -> str:
    """One block as Markdown."""
    if isinstance(block, Text):
        return plain(block.words)
    if isinstance(block, Bullets):
        return "\n".join(f"- {plain(line)}" for line in block.lines)
    if isinstance(block, Code):
        return "```sh\n" + "\n".join(block.lines) + "\n```"
    if isinstance(block, Picture):
        caption = f"\n\n*{plain(block.caption)}*" if block.caption else ""
        return f"![{plain(block.label)}]({folder}/{block.name}.svg){caption}"
    return table_markdown(block)


def table_markdown(table: Table) -> str:
    """A table as Markdown, its caption above it."""
    marks = ["---:" if column in table.right else "---" for column in range(len(table.header))]
    lines = [table.header, marks, *table.rows]
    text = "\n".join("| " + " | ".join(cell_markdown(cell) for cell in line) + " |" for line in lines)
    text = f"{plain(table.caption)}\n\n{text}" if table.caption else text
    return f"<details><summary>{plain(table.folded)}</summary>\n\n{text}\n\n</details>" if table.folded else text


def cell_markdown(text: str) -> str:
    """A cell of a Markdown table: on one line, its bars escaped."""
    return plain(one_line(text)).replace("|", "\\|")


def plain(text: str) -> str:
    """Text with Markdown's special characters escaped, except for backticks, which are meant.

    >>> plain("a * b < c_d")
    'a \\\\* b &lt; c\\\\_d'
    """
    return re.sub(r"([\\*_\[\]])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def rows_of(lines: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Lines of cells as a table's rows."""
    return tuple(tuple(line) for line in lines)
