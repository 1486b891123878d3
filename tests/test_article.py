"""Articles as HTML and as Markdown: what stands in them is shown, not understood as a mark."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab import charts
from sightlab.errors import RunError
from sightlab.report.article import (
    Article,
    Bullets,
    Code,
    Picture,
    Section,
    Table,
    Text,
    markdown,
    table_markdown,
    write_html,
    write_markdown,
)

SVG = charts.svg_of(charts.grid_heat([charts.Cell(1, 2, 0.5), charts.Cell(2, 2, 0.7)], "x", "y", "value"))
NASTY = "<script>alert(1)</script> *a* | b_c [d](e)"


def article(words: str = "words") -> Article:
    blocks = (
        Text(words),
        Bullets(("one", words)),
        Table(("name", "value"), ((words, "1"),), right=(1,), caption="What it shows", folded="More"),
        Picture("heat", SVG, "A heat map", "Its caption"),
        Code(("sightlab study list",)),
    )
    long = Table(("place", "layer"), tuple((str(n), f"layer {n}") for n in range(60)))
    more = (long, Picture("again", SVG, "A heat map once more"), Table(("one",), (("1",),)))
    return Article("Title", "Kind", "About", (Section("First", blocks), Section("Second", more)))


def test_a_page_of_html_shows_marks_and_runs_nothing(tmp_path: Path) -> None:
    (path,) = write_html(article(NASTY), tmp_path / "page.html")
    text = path.read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert 'href="#section-2"' in text
    assert "<summary>More</summary>" in text
    assert text.count("<svg") == 2


def test_a_page_of_markdown_has_its_pictures_beside_it(tmp_path: Path) -> None:
    written = write_markdown(article(), tmp_path / "page.md")
    assert written == [tmp_path / "page.md", tmp_path / "page" / "heat.svg", tmp_path / "page" / "again.svg"]
    text = written[0].read_text()
    assert "![A heat map](page/heat.svg)" in text
    assert "```sh\nsightlab study list\n```" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# Title", "## First", "## Second"]


def test_marks_of_markdown_are_shown_as_they_are() -> None:
    text = markdown(article(NASTY), "page")
    assert "<script" not in text
    assert r"\*a\* | b\_c \[d\](e)" in text  # in a paragraph a bar is no mark
    assert r"\*a\* \| b\_c \[d\](e) |" in text  # in a table it is


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=5))
def test_a_table_has_as_many_columns_in_every_line_whatever_its_cells_hold(cells: list[list[str]]) -> None:
    lines = table_markdown(Table(("a", "b", "c"), tuple(map(tuple, cells)))).split("\n")
    assert len(lines) == len(cells) + 2
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {4}


def test_a_row_that_does_not_fit_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1 cells, the header has 2"):
        Table(("a", "b"), (("only",),))


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_html(article(), tmp_path / "file" / "page.html")
