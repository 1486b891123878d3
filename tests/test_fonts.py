"""Class names in any script: drawn in a font that has them, or written as codes; never boxes, never question marks."""

import io
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from bidi import get_display
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from sightlab.charts import class_bars, confusion, confusion_rows, printable, save_chart, save_svg, short_names, svg_of
from sightlab.charts.glyph_outlines import outline_text
from sightlab.charts.theme import FONT
from sightlab.data.imageset import ImageSet
from sightlab.fonts import (
    FontList,
    clusters,
    escape_missing,
    font_folders,
    font_paths,
    in_default_font,
    installed_fonts,
    layout_text,
    levels,
    visual_order,
)
from sightlab.fonts.faces import DEFAULT_FONT, DEFAULT_FONT_EXTRAS
from sightlab.pictures import PILLOW_FONT, contact_sheet, data_sheet, drawable
from sightlab.records import ClassScore

# A cat in each script, and its codes where there is no font for it.
CATS = {
    "猫": "U+732B",
    "ねこ": "U+306D U+3053",
    "고양이": "U+ACE0 U+C591 U+C774",
    "قطة": "U+0642 U+0637 U+0629",
    "बिल्ली": "U+092C U+093F U+0932 U+094D U+0932 U+0940",
    "แมว": "U+0E41 U+0E21 U+0E27",
    "🐱": "U+1F431",
}
ALWAYS = ["кошка", "γάτα", "חתול", "café", "dog", "Straße → naïve", "mèo", "kočka"]

NO_FONTS = '<?xml version="1.0"?><fontconfig><dir>{}</dir></fontconfig>'


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_FONTS", "")


@pytest.fixture(params=CATS)
def cat(request: pytest.FixtureRequest) -> str:
    """A name that a font of this machine has."""
    name: str = request.param
    if escape_missing(name) != name:
        pytest.skip(f"no font for {name}; Debian: the packages of tools/debian-packages.txt, or the extra `fonts`")
    return name


def pixels(png: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def in_svg(body: str, width: int = 200, height: int = 60) -> str:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {spaces} width="{width}" height="{height}">{body}</svg>'


def as_text(words: str, **attributes: str) -> str:
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text transform="translate(40,40)" font-family="{FONT}" font-size="20px" fill="#222"{more}>{words}</text>'


def ink(svg: str) -> NDArray[np.uint8]:
    """The opacity of each pixel of the SVG as charts are painted."""
    return pixels(vl_convert.svg_to_png(outline_text(svg)))[:, :, 3]


def sheet_of(names: Sequence[str]) -> NDArray[np.uint8]:
    images = np.full((len(names), 8, 8, 3), 128, np.uint8)
    return np.asarray(data_sheet(ImageSet(images, np.arange(len(names)), tuple(names))))


def scores(names: Sequence[str]) -> list[ClassScore]:
    return [ClassScore(name, 0.5, 0.5, 0.5, 10, (0.2, 0.8)) for name in names]


# What is escaped


@pytest.mark.parametrize("name", ALWAYS)
def test_latin_greek_cyrillic_and_hebrew_need_no_font(no_fonts: None, name: str) -> None:
    assert escape_missing(name) == printable(name) == drawable(name) == name


@pytest.mark.parametrize(("name", "codes"), CATS.items())
def test_without_a_font_each_character_is_its_code(no_fonts: None, name: str, codes: str) -> None:
    assert escape_missing(name) == printable(name) == drawable(name) == codes
    shown = confusion_rows(np.eye(2, dtype=np.int64), [name, "dog"])[0]["true"]
    assert shown == codes if len(codes) <= 22 else codes.startswith(shown.removesuffix("…"))


def test_codes_stand_apart_from_letters_and_only_from_those() -> None:
    none = FontList([])
    assert escape_missing("cat猫", none) == "cat U+732B"
    assert escape_missing("猫cat猫猫", none) == "U+732B cat U+732B U+732B"
    assert escape_missing("(猫), 猫 12", none) == "(U+732B), U+732B 12"


def test_what_is_no_character_is_a_code_whatever_fonts_there_are() -> None:
    assert printable("a\x00b\udce9\ue000") == "a U+0000 b U+DCE9 U+E000"


def test_marks_go_with_their_letters() -> None:
    assert printable(unicodedata.normalize("NFD", "café кой")) == "café кой"
    assert escape_missing("x\u0301\u0489", FontList([])) == "x U+0301 U+0489"
    assert clusters("बिल्ली") == ["बि", "ल्", "ली"]
    assert clusters("\U0001f44d\U0001f3fd!") == ["\U0001f44d\U0001f3fd", "!"]


def test_what_has_no_shape_leaves_no_trace(no_fonts: None) -> None:
    assert printable("❤\ufe0f") == "U+2764"
    assert printable("a\u200db\u202ec") == "abc"


def test_a_glyph_without_ink_does_not_count() -> None:
    """FontList of Braille have an empty cell, and it would be an empty name."""
    blank, dots = "\u2800", "\u283f"
    if installed_fonts().face_for(dots) is None:
        pytest.skip("no font with Braille; Debian: fonts-dejavu-core")
    assert escape_missing(dots) == dots
    assert escape_missing(blank) == "U+2800"


def test_a_short_name_parts_no_code_and_no_letter_from_its_marks() -> None:
    codes = "U+4E2D U+6587 U+8A9E U+8A00"
    assert short_names([codes], most=22) == ["U+4E2D U+6587 U+8A9E…"]
    ends = [codes, codes.replace("8A00", "8A01"), codes.replace("6587", "6588").replace("8A00", "8A02")]
    assert short_names(ends, most=22) == ["U+4E2D…U+8A00", "U+4E2D…U+8A01", "U+4E2D U+6588 U+8A9E…"]


@given(st.text(max_size=30))
def test_spelling_again_changes_nothing(text: str) -> None:
    once = printable(text)
    assert printable(once) == once
    assert "�" not in once or "�" in text


# Which fonts


def test_the_charts_own_font_has_what_is_never_looked_up(tmp_path: Path) -> None:
    """Drawn in a process that finds no other font: neither a box nor nothing."""
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts.conf").write_text(NO_FONTS.format(tmp_path / "fonts"))
    code = (
        "import sys, io, vl_convert; from PIL import Image\n"
        "def draw(c):\n"
        f'    words = f\'<text x="15" y="30" font-size="20" font-family="{FONT}">&#{{ord(c)}};</text>\'\n'
        '    svg = f\'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="50">{words}</svg>\'\n'
        "    return Image.open(io.BytesIO(vl_convert.svg_to_png(svg))).tobytes()\n"
        "bad = {draw(chr(0x10FFFD)), draw(' ')}\n"
        "print([c for c in sys.stdin.read() if draw(c) in bad])"
    )
    every = [chr(c) for c in range(0x21, 0x2300)]
    known = [c for c in every if c.isprintable() and (DEFAULT_FONT.fullmatch(c) or DEFAULT_FONT_EXTRAS.fullmatch(c))]
    assert len(known) > 700
    alone = os.environ | {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "PYTHONUTF8": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code], input="".join(known), capture_output=True, encoding="utf-8", env=alone, check=True
    )
    assert found.stdout.strip() == "[]"


def test_pillows_font_has_what_is_drawn_with_it() -> None:
    font = ImageFont.load_default(40)
    box = bytes(font.getmask("\U0010ffff"))
    own = [chr(c) for c in range(0x21, 0x2100) if PILLOW_FONT.fullmatch(chr(c))]
    assert len(own) == 94 + 6
    assert box not in [bytes(font.getmask(c)) for c in own]


def test_plain_names_look_for_no_font() -> None:
    code = (
        "import sys; from sightlab.charts import short_names; from sightlab.fonts import font_files, escape_missing\n"
        "escape_missing('café'), short_names(['dog', 'кошка'] * 50)\n"
        "print(font_files._folders.cache_info().misses, {'uharfbuzz', 'vl_convert', 'PIL'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0 set()"


def test_folders_are_those_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    named = os.pathsep.join(str(tmp_path / name) for name in ("two", "none", "one"))
    monkeypatch.setenv("SIGHTLAB_FONTS", named)
    assert font_folders() == (tmp_path / "two", tmp_path / "one")
    monkeypatch.setenv("SIGHTLAB_FONTS", "")
    assert font_folders() == ()


def test_upright_fonts_for_the_screen_come_first(tmp_path: Path) -> None:
    names = [
        "NotoSans-Bold.ttf",
        "Zapf.otf",
        "sub/DejaVuSans.ttf",
        "NotoSansCJK-Regular.ttc",
        "LastResort.otf",
        "readme.txt",
        "NotoNaskhArabic-Regular.TTF",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [path.name for path in font_paths([tmp_path])] == [
        "NotoSansCJK-Regular.ttc",
        "DejaVuSans.ttf",
        "Zapf.otf",
        "NotoSans-Bold.ttf",
        "NotoNaskhArabic-Regular.TTF",
    ]


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path, cat: str) -> None:
    face = installed_fonts().face_for(cat[0])
    assert face is not None
    whole = face.path.read_bytes()
    bad = {"empty.ttf": b"", "noise.ttf": np.random.default_rng(0).bytes(5000), "cut.ttf": whole[: len(whole) // 3]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in bad] + [tmp_path / "none.ttf"]
    assert FontList(paths[:2] + paths[3:]).face_for("a") is None
    assert escape_missing("猫a", FontList([])) == "U+732B a"
    FontList(paths).face_for(cat)  # neither raises nor crashes


def test_faces_are_found_by_what_they_have(cat: str) -> None:
    face = installed_fonts().face_for(cat)
    assert face is not None and all(ord(character) in face.characters for character in cat)
    assert FontList([face.path]).face_for(cat) is not None
    assert FontList([face.path]).face_for("\U0010fffd") is None


# How it is drawn


def test_names_are_drawn_and_not_as_boxes(cat: str) -> None:
    box = ink(in_svg(as_text("\U0010fffd" * len(cat))))  # not a character: escape_missing as its code
    mine, blank = ink(in_svg(as_text(cat))), ink(in_svg(""))
    raw = pixels(vl_convert.svg_to_png(in_svg(as_text("\U0010fffd" * len(cat)))))[:, :, 3]
    assert raw.any() and not np.array_equal(box, raw)
    assert (mine != blank).sum() > 40
    assert not np.array_equal(mine, raw)
    face = installed_fonts().face_for(cat)
    assert face is not None
    missing = face.outline(0, 0, 0)
    assert not missing or missing not in layout_text(cat, 20, FONT).svg


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow shapes no text without FriBiDi; Debian: libfribidi0")
def test_shapes_are_those_of_another_engine(cat: str) -> None:
    """Pillow's layout by raqm, with the same face: as wide, and the same letters at the same places."""
    face = installed_fonts().face_for(cat)
    assert face is not None
    size = 100 if face.bitmap(face.font.get_nominal_glyph(ord(cat[0]))) is None else 109  # of the pictures of emoji
    font = ImageFont.truetype(face.path, size, index=face.index, layout_engine=ImageFont.Layout.RAQM)
    mine = layout_text(cat, size, FONT)
    assert mine.width == pytest.approx(font.getlength(cat), abs=0.02 * size * len(cat))
    sheet = Image.new("RGBA", (600, 200))
    ImageDraw.Draw(sheet).text((50, 140), cat, "black", font, anchor="ls", embedded_color=True)
    other = np.asarray(sheet)[:, :, 3] > 127
    own = pixels(vl_convert.svg_to_png(in_svg(f'<g transform="translate(50,140)">{mine.svg}</g>', 600, 200)))
    both, either = (own[:, :, 3] > 127) & other, (own[:, :, 3] > 127) | other
    assert both.sum() > 0.85 * either.sum()


@pytest.mark.parametrize(("anchor", "share"), [("start", 0), ("middle", 0.5), ("end", 1)])
def test_a_name_stands_where_its_text_stood(cat: str, anchor: str, share: float) -> None:
    width = layout_text(cat, 20, FONT).width
    columns = np.flatnonzero(ink(in_svg(as_text(cat, text_anchor=anchor).replace("40,40", "100,40"))).any(axis=0))
    assert 100 - share * width - 5 < columns[0]
    assert columns[-1] < 100 + (1 - share) * width + 5
    rows = np.flatnonzero(ink(in_svg(as_text(cat))).any(axis=1))
    assert 10 < rows[0] < 35 and 35 < rows[-1] < 55


def test_the_charts_own_font_is_measured_as_it_is_drawn() -> None:
    for words in ("dog", "кошка", "café 12"):
        columns = np.flatnonzero(ink(in_svg(as_text(f"|{words}|"), 300)).any(axis=0))
        inner = layout_text(f"|{words}|", 20, FONT).width - layout_text("||", 20, FONT).width
        bars = np.flatnonzero(ink(in_svg(as_text("||"), 300)).any(axis=0))
        assert inner == pytest.approx((columns[-1] - columns[0]) - (bars[-1] - bars[0]), abs=1.5)


def test_latin_beside_another_script_keeps_the_charts_font(cat: str) -> None:
    mixed = layout_text(f"{cat} dog", 20, FONT)
    assert re.findall(r">([^<]+)</text>", mixed.svg) == [" dog"] or "قطة" in cat
    assert mixed.width == pytest.approx(layout_text(cat, 20, FONT).width + layout_text(" dog", 20, FONT).width)


def test_lines_of_one_text_are_drawn_each(cat: str) -> None:
    lines = as_text("").replace("></text>", f'><tspan>dog</tspan><tspan x="0" dy="16">{cat}</tspan></text>')
    rows = np.flatnonzero(ink(in_svg(lines, height=80)).any(axis=1))
    single = np.flatnonzero(ink(in_svg(as_text(cat), height=80)).any(axis=1))
    assert rows[0] < 40 and rows[-1] == single[-1] + 16


def test_a_plain_drawing_is_left_alone() -> None:
    svg = svg_of(confusion(np.eye(2, dtype=np.int64), ["dog", "кошка & café"]))
    assert outline_text(svg) is svg


def test_two_names_give_two_pictures(cat: str) -> None:
    pictures = [ink(in_svg(as_text(words))) for words in (cat, cat[::-1] + cat, "\U0010fffd")]
    assert len({picture.tobytes() for picture in pictures}) == 3


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_other_names_give_other_charts(tmp_path: Path, suffix: str) -> None:
    other_names_give_other_charts(tmp_path, [name for name in CATS if escape_missing(name) == name], suffix)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_each_name_gives_a_chart_of_its_own(tmp_path: Path, cat: str, suffix: str) -> None:
    other_names_give_other_charts(tmp_path, [cat], suffix)


def other_names_give_other_charts(folder: Path, cats: Sequence[str], suffix: str) -> None:
    matrix = np.eye(len(cats) + 1, dtype=np.int64)
    for place, names in enumerate((cats, [cat[::-1] + cat for cat in cats], ["\U0010fffd" for _ in cats])):
        save_chart(confusion(matrix, [*names, "dog"]), folder / f"{place}{suffix}")
        save_chart(class_bars(scores([*names, "dog"])), folder / f"bars{place}{suffix}")
    contents = [path.read_bytes() for path in sorted(folder.iterdir())]
    assert len(set(contents)) == len(contents) == 6


def test_a_drawing_keeps_its_text_and_only_pictures_have_shapes(tmp_path: Path, cat: str) -> None:
    svg = svg_of(confusion(np.eye(2, dtype=np.int64), [cat, "dog"]))
    save_svg(svg, tmp_path / "chart.svg")
    assert f">{cat}</text>" in (tmp_path / "chart.svg").read_text(encoding="utf-8")
    shapes = outline_text(svg)
    words = [element.text for element in ET.fromstring(shapes).iter("{http://www.w3.org/2000/svg}text")]
    assert cat not in words and "dog" in words


def test_contact_sheets_show_names_in_any_script(cat: str) -> None:
    sheets = [sheet_of([name]) for name in (cat, cat + cat)]
    assert (sheets[0][:, :60] < 128).any()
    assert sheets[0].shape != sheets[1].shape or not np.array_equal(*sheets)
    image = np.full((1, 8, 8, 3), 128, np.uint8)
    captions = [np.asarray(contact_sheet(image, [words])) for words in (cat, "", "dog")]
    assert len({sheet.tobytes() for sheet in captions}) == 3


def test_two_chinese_classes_look_different() -> None:
    names = [name for name in ("猫", "狗") if escape_missing(name) == name]
    if len(names) < 2:
        pytest.skip("no font for Chinese; Debian: fonts-wqy-microhei")
    assert not np.array_equal(sheet_of(names[:1]), sheet_of(names[1:]))


def test_contact_sheets_without_fonts_show_codes(no_fonts: None) -> None:
    np.testing.assert_array_equal(sheet_of(["猫"]), sheet_of(["U+732B"]))
    assert not np.array_equal(sheet_of(["猫"]), sheet_of(["狗"]))


def test_emoji_keep_their_colours() -> None:
    face = installed_fonts().face_for("🐱")
    if face is None or not face.bitmap(face.font.get_nominal_glyph(ord("🐱"))):
        pytest.skip("no font with pictures of emoji comes first; Debian: fonts-noto-color-emoji")
    names = sheet_of(["🐱"])[:, :60].astype(int)
    assert (np.ptp(names, axis=2) > 100).sum() > 20  # orange, not ink


# From right to left


@given(st.text("abc אבגقط 12().,%-[]/…:", max_size=10))
def test_the_order_is_that_of_unicodes_algorithm(text: str) -> None:
    text = text.strip()
    assert "".join(visual_order(text, levels(text))) == get_display(text)


def test_arabic_letters_join_and_begin_at_the_right() -> None:
    if installed_fonts().face_for("قطة") is None:
        pytest.skip("no font for Arabic; Debian: fonts-noto-ui-core")
    alone = sum(layout_text(letter, 20, FONT).width for letter in "قطة")
    assert layout_text("قطة", 20, FONT).width < 0.95 * alone
    order = re.findall(r"translate\(([\d.]+),0\)", layout_text("قطة dog", 20, FONT).svg)
    assert order == sorted(order, key=float)
    assert layout_text("قطة dog", 20, FONT).svg.index("dog") < layout_text("قطة dog", 20, FONT).svg.index("<path")
    words = re.findall(">([^<]+)</text>", layout_text("قطة (dog)", 20, FONT).svg)
    assert words == ["(", "dog", ") "]  # from left to right: each bracket is the other one, turned round


def test_plain_words_have_the_built_in_font() -> None:
    assert in_default_font("dog кошка café") and not in_default_font("猫")
