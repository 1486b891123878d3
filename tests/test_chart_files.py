"""A chart's files say the same whatever their kind, open offline, and a class's name runs nothing in a page."""

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import numpy as np
import pytest
import vl_convert

from sightlab.charts import confusion, learning_curves, save_chart, save_svg, svg_of
from sightlab.errors import RunError
from sightlab.records import Epoch

# One process makes the pages once.
pytestmark = pytest.mark.xdist_group("chart files")
HOSTILE = "</script><script>alert(1)</script>"


def curves() -> alt.ConcatChart:
    return learning_curves(
        [Epoch(e, 2 / e, 1 - 0.6 / e, 2.2 / e, 1 - 0.7 / e, 0.1, 9.0, 800.0, True) for e in (1, 2, 3)]
    )


def matrix() -> alt.LayerChart:
    return confusion(np.array([[5, 1], [0, 4]]), [HOSTILE, "犬"], title=f"{HOSTILE} & co")


class Scripts(HTMLParser):
    """The scripts of a page, its title, and every address it names in a tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inside = ""
        self.texts: dict[str, list[str]] = {"script": [], "title": []}
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_data(self, data: str) -> None:
        if self.inside in self.texts:
            self.texts[self.inside][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two saved pages: making the library's bundle takes a second."""
    folder = tmp_path_factory.mktemp("pages")
    save_chart(matrix(), folder / "matrix.html")
    save_chart(curves(), folder / "curves.html")
    return {"matrix": folder / "matrix.html", "curves": folder / "curves.html"}


def test_png_and_pdf_hold_what_vega_draws_of_the_chart_itself(tmp_path: Path) -> None:
    paths = [tmp_path / f"chart{suffix}" for suffix in (".png", ".svg", ".pdf")]
    chart = curves()
    save_chart(chart, *paths)
    spec = chart.to_dict()
    assert paths[0].read_bytes() == vl_convert.vegalite_to_png(spec, scale=2)
    assert paths[1].read_text(encoding="utf-8") == vl_convert.vegalite_to_svg(spec) == svg_of(chart)
    pdf = paths[2].read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert b"%%EOF" in pdf[-10:]
    svg = ET.fromstring(paths[1].read_text(encoding="utf-8"))
    box = re.search(rb"/MediaBox \[([\d. ]+)\]", pdf)
    assert box is not None
    assert [float(n) for n in box[1].split()] == pytest.approx(
        [0, 0, *(float(svg.attrib[k]) for k in ("width", "height"))]
    )


def test_a_drawn_chart_is_saved_as_the_chart_itself(tmp_path: Path) -> None:
    suffixes = (".png", ".svg")  # a PDF numbers its fonts as it likes
    save_chart(matrix(), *(tmp_path / f"chart{suffix}" for suffix in suffixes))
    save_svg(svg_of(matrix()), *(tmp_path / f"drawn{suffix}" for suffix in suffixes))
    for suffix in suffixes:
        assert (tmp_path / f"drawn{suffix}").read_bytes() == (tmp_path / f"chart{suffix}").read_bytes()
    with pytest.raises(RunError, match=r"x\.html: a drawing is saved as \.png, \.svg or \.pdf, not \.html$"):
        save_svg(svg_of(curves()), tmp_path / "x.html")


def test_a_suffix_in_capitals_is_known(tmp_path: Path) -> None:
    save_chart(curves(), tmp_path / "chart.PNG")
    assert (tmp_path / "chart.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "found"), [("two.gif", r"not \.gif"), ("two", "not without a suffix")])
def test_another_suffix_is_refused_before_anything_is_written(name: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=rf"{name}: a chart is saved as \.png, \.svg, \.pdf or \.html, {found}$"):
        save_chart(curves(), tmp_path / "one.png", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_charts_on_one_page_share_no_id_and_each_finds_its_own() -> None:
    first, second = svg_of(matrix()), svg_of(confusion(np.eye(3, dtype=np.int64), ["a", "b", "c"]))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert all(ids)
    assert not ids[0] & ids[1]
    for svg, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= own
        assert ET.fromstring(svg).attrib["viewBox"]
    assert svg_of(matrix()) == first


def test_a_page_is_whole_and_names_no_other_place(pages: dict[str, Path]) -> None:
    for path in pages.values():
        page = Scripts(path.read_text(encoding="utf-8"))
        assert not page.addresses
        assert len(page.texts["script"]) == 2


def test_a_class_called_script_stays_a_name_in_a_page(pages: dict[str, Path]) -> None:
    page = Scripts(pages["matrix"].read_text(encoding="utf-8"))
    assert len(page.texts["script"]) == 2
    assert page.texts["title"] == [f"{HOSTILE} & co"]
    spec = json.loads(re.search(r"const spec = (.*);\n", page.texts["script"][1])[1])  # type: ignore[index]
    assert {row["true"] for row in spec["datasets"].popitem()[1]} == {"</script><script>aler…", "犬"}


def test_only_panels_with_numbers_on_both_axes_zoom(pages: dict[str, Path]) -> None:
    text = {name: path.read_text(encoding="utf-8") for name, path in pages.items()}
    assert text["curves"].count('"bind": "scales"') == 2
    assert "Scroll to zoom" in text["curves"]
    assert '"bind": "scales"' not in text["matrix"]
    assert "Scroll to zoom" not in text["matrix"]


def test_in_a_zoomed_page_marks_end_at_the_panel_and_whole_ticks_stay_whole(pages: dict[str, Path]) -> None:
    text = Scripts(pages["curves"].read_text(encoding="utf-8")).texts["script"][1]
    spec = json.loads(re.search(r"const spec = (.*);\n", text)[1])  # type: ignore[index]
    units = [unit for panel in spec["concat"] for unit in panel["layer"]]
    # The label of the best epoch stands above the panel.
    assert {(unit["mark"]["type"], unit["mark"]["clip"]) for unit in units} == {
        ("line", True), ("point", True), ("rule", True), ("text", False),
    }  # fmt: skip
    axis = spec["concat"][0]["encoding"]["x"]["axis"]
    assert "values" not in axis
    assert axis["tickMinStep"] == 1
