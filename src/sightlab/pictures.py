"""Contact sheets: many small images on one sheet, each with its caption.

Drawn with Pillow and its bundled font, so that a sheet looks the same on every machine; text beyond ASCII is drawn as
on charts.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from sightlab.charts import printable, write_file
from sightlab.charts.theme import FONT
from sightlab.data.imageset import ImageSet
from sightlab.errors import RunError
from sightlab.fonts import clusters, layout_text

PAPER, INK, QUIET, HAIRLINE = "#ffffff", "#222222", "#5f6b76", "#d5d9dd"
WRONG = "#d55e00"  # vermilion of Okabe & Ito 2008, seen with any colour vision

CELL = 96  # pixels; the longer side of an image on a sheet, at most
MARGIN, GAP, NEAR_GAP, FRAME = 20, 14, 7, 4
CAPTION_SIZE, NAME_SIZE, TITLE_SIZE = 12, 14, 16
CAPTION_LINE, HEADING = 16, 30
NARROWEST = 56  # minimum width of a caption, however narrow the images are
SHORTEST_TITLE = 420  # minimum width for a long title, however few the columns are
LONGEST_NAME = 170
FINER = 4  # text is supersampled by this factor: at its own size the letters are spaced unevenly

PILLOW_FONT = re.compile("[ -~…·«»“”]*")  # some of the characters of Pillow's bundled font


def contact_sheet(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    *,
    wrong: Sequence[bool] | None = None,
    columns: int = 10,
    cell: int | None = None,
    title: str = "",
) -> Image.Image:
    """Images in rows from left to right, a caption below each; RGB.

    images: uint8 [N, H, W, C], as `rgb` takes them. captions: N texts; a line end in a caption starts a second line,
    and each line is cut to the width of its image. wrong: N marks; a marked image gets a frame and a cross
    in its corner, which shows in greyscale print too, and the title a key. cell: the longer side of the
    images on the sheet, at most (96 pixels if None): small ones are enlarged by an integer factor, large ones are
    downscaled.

    Raises ValueError for no images, columns or cell below 1, or captions or marks that are not one an image.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise ValueError(f"images are {images.dtype} {list(images.shape)}; a sheet takes uint8 [N, H, W, C], N above 0")
    marks = [False] * len(images) if wrong is None else [bool(mark) for mark in wrong]
    if not len(captions) == len(marks) == len(images):
        raise ValueError(f"{len(images)} images have {len(captions)} captions and {len(marks)} marks; each needs one")
    if columns < 1:
        raise ValueError(f"a sheet of {columns} columns; it needs at least 1")
    width, height = shown_size(images.shape[2], images.shape[1], cell)
    slot = max(width, NARROWEST)
    lines = [caption.split("\n") for caption in captions]
    across = min(columns, len(images))
    down = math.ceil(len(images) / across)
    row_height = height + 5 + CAPTION_LINE * max(map(len, lines)) + GAP
    top = MARGIN + (HEADING if title or any(marks) else 0)
    inner = max(across * (slot + GAP) - GAP, min(SHORTEST_TITLE, _heading_width(title, any(marks))))
    sheet = Image.new("RGB", (2 * MARGIN + inner, top + down * row_height - GAP + MARGIN), PAPER)
    _draw_heading(sheet, title, inner, any(marks))
    for index, image in enumerate(images):
        x, y = MARGIN + index % across * (slot + GAP), top + index // across * row_height
        _draw_image(sheet, image, x + (slot - width) // 2, y, (width, height), marked=marks[index])
        _write_caption(sheet, lines[index], x, y + height + 16, slot)
    return sheet


def data_sheet(imageset: ImageSet, per_class: int = 10, most_classes: int = 20) -> Image.Image:
    """The first images of each class, a row a class, its name and number of images at the left; RGB.

    Classes beyond `most_classes` are left out, and a line at the foot says so.

    Raises ValueError when there is no class, or for a number below 1.
    """
    classes = len(imageset.classes)
    if per_class < 1 or most_classes < 1 or not classes:
        raise ValueError(
            f"a sheet of {per_class} images of {most_classes} of {classes} classes; each must be at least 1"
        )
    rows = min(classes, most_classes)
    counts = imageset.counts()[:rows].tolist()
    names = [truncate(name, NAME_SIZE, LONGEST_NAME) for name in imageset.classes[:rows]]
    notes = ["1 image" if count == 1 else f"{count:,} images" for count in counts]
    widths = [text_width(name, NAME_SIZE) for name in names] + [text_width(note, CAPTION_SIZE) for note in notes]
    left = MARGIN + math.ceil(max(widths)) + GAP
    width, height = shown_size(imageset.shape[1], imageset.shape[0], None)
    row_height = max(height, 40) + NEAR_GAP
    across = min(per_class, max(1, *counts))
    foot = f"the first {rows} of {classes:,} classes" if rows < classes else ""
    bottom = MARGIN + rows * row_height - NEAR_GAP + (HEADING if foot else 0)
    sheet = Image.new("RGB", (left + across * (width + NEAR_GAP) - NEAR_GAP + MARGIN, bottom + MARGIN), PAPER)
    for row in range(rows):
        middle = MARGIN + row * row_height + (row_height - NEAR_GAP) // 2
        _write(sheet, MARGIN, middle - 1, names[row], NAME_SIZE, INK)
        _write(sheet, MARGIN, middle + 15, notes[row], CAPTION_SIZE, QUIET)
        first = np.flatnonzero(imageset.labels == row)[:per_class]
        for index, image in enumerate(imageset.gather(first)):
            x = left + index * (width + NEAR_GAP)
            _draw_image(sheet, image, x, middle - height // 2, (width, height), marked=False)
    _write(sheet, MARGIN, bottom, foot, CAPTION_SIZE, QUIET)
    return sheet


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes the picture as PNG, marked as sightlab's; the file appears whole or not at all.

    Raises RunError for a suffix other than .png, or when the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise RunError(f"{path}: a picture is saved as .png, not {path.suffix or 'without a suffix'}")
    content = io.BytesIO()
    mark = PngInfo()
    mark.add_text("Software", "sightlab")  # by which a contact sheet among data is known
    image.save(content, "PNG", optimize=True, pnginfo=mark)
    write_file(path, content.getvalue())


def rgb(image: NDArray[np.uint8]) -> Image.Image:
    """One image as RGB. image: uint8 [H, W, C].

    One channel is grey; of two the mean is shown as grey; of three or more the first three are red, green and blue.
    """
    channels = image.shape[2]
    if channels >= 3:
        return Image.fromarray(np.ascontiguousarray(image[:, :, :3]))
    grey = image[:, :, 0] if channels == 1 else image.mean(axis=2).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(grey)).convert("RGB")


def shown_size(width: int, height: int, cell: int | None) -> tuple[int, int]:
    """(width, height) on a sheet: the largest integer multiple whose longer side is at most `cell`, else downscaled.

    cell: pixels, 96 if None. Raises ValueError for a cell below 1.

    >>> shown_size(28, 28, None), shown_size(640, 480, None), shown_size(32, 16, 64)
    ((84, 84), (96, 72), (64, 32))
    """
    longest = CELL if cell is None else cell
    if longest < 1:
        raise ValueError(f"a cell of {longest} pixels; it needs at least 1")
    side = max(width, height)
    if side <= longest:
        factor = longest // side
        return width * factor, height * factor
    return max(1, round(width * longest / side)), max(1, round(height * longest / side))


def truncate(text: str, size: int, width: float) -> str:
    """The drawable text, cut with … where it would be wider than `width` pixels at `size`."""
    text = drawable(text)
    if text_width(text, size) <= width:
        return text
    parts = clusters(text)
    shorter = ("".join(parts[:end]).rstrip() + "…" for end in range(len(parts) - 1, 0, -1))
    return next((cut for cut in shorter if text_width(cut, size) <= width), "…")


def drawable(text: str) -> str:
    """The text on one line as charts print it (`sightlab.charts.printable`), but "" for nothing.

    >>> drawable("Ankle boot → café"), drawable(" ")
    ('Ankle boot → café', '')
    """
    return printable(text) if text.strip() else ""


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * FINER)


def text_width(text: str, size: int) -> float:
    """Width of a line of drawable text at `size`, in pixels of the sheet."""
    return _font(size).getlength(text) / FINER if PILLOW_FONT.fullmatch(text) else layout_text(text, size, FONT).width


def _write(sheet: Image.Image, left: float, baseline: int, text: str, size: int, colour: str) -> None:
    """One line of text; `left` and `baseline` in pixels of the sheet."""
    above, below, side = size + 2, size // 2, 2  # padding around the letters, which overhang their advance widths
    width = math.ceil(text_width(text, size)) + 2 * side
    if PILLOW_FONT.fullmatch(text):
        mask = Image.new("L", (width * FINER, (above + below) * FINER))
        ImageDraw.Draw(mask).text((side * FINER, above * FINER), text, 255, _font(size), anchor="ls")
        mask = mask.reduce(FINER)
        words = Image.new("RGB", mask.size, colour)
    else:
        words = _render_text(text, size, colour, (side, above), (width, above + below))
        mask = words.getchannel("A")
    sheet.paste(words, (round(left) - side, baseline - above), mask)


def _render_text(text: str, size: int, colour: str, start: tuple[int, int], box: tuple[int, int]) -> Image.Image:
    """A line of text in any script, its baseline beginning at `start` in a box of that width and height; RGBA."""
    import vl_convert

    root = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{box[0]}" '
    words = f'<g fill="{colour}" transform="translate({start[0]},{start[1]})">{layout_text(text, size, FONT).svg}</g>'
    png = vl_convert.svg_to_png(f'{root}height="{box[1]}">{words}</svg>', scale=1)
    with Image.open(io.BytesIO(png)) as drawn:
        return drawn.convert("RGBA")


def _write_caption(sheet: Image.Image, lines: list[str], x: int, baseline: int, slot: int) -> None:
    """A caption's lines, centred in the slot; the first in INK, the others in QUIET."""
    for number, line in enumerate(lines):
        text = truncate(line, CAPTION_SIZE, slot + NEAR_GAP)
        left = x + (slot - text_width(text, CAPTION_SIZE)) / 2
        _write(sheet, left, baseline + CAPTION_LINE * number, text, CAPTION_SIZE, QUIET if number else INK)


def _heading_width(title: str, key: bool) -> int:
    return math.ceil(text_width(drawable(title), TITLE_SIZE)) + (GAP + _key_width() if key else 0)


def _key_width() -> int:
    return 20 + math.ceil(text_width("wrong", CAPTION_SIZE))


def _draw_heading(sheet: Image.Image, title: str, inner: int, key: bool) -> None:
    """The title at the left and, if images are marked, the key at the right."""
    baseline = MARGIN + 13
    room = inner - (GAP + _key_width() if key else 0)
    _write(sheet, MARGIN, baseline, truncate(title, TITLE_SIZE, room), TITLE_SIZE, INK)
    if key:
        x = MARGIN + inner - _key_width()
        _draw_cross(ImageDraw.Draw(sheet), x, baseline - 12)
        _write(sheet, x + 20, baseline, "wrong", CAPTION_SIZE, INK)


def _draw_image(
    sheet: Image.Image, image: NDArray[np.uint8], x: int, y: int, size: tuple[int, int], *, marked: bool
) -> None:
    """One image with a hairline, or marked as wrong, with its top left corner at (x, y)."""
    picture = rgb(image)
    enlarged = size[0] >= picture.width and size[1] >= picture.height
    sheet.paste(picture.resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS), (x, y))
    draw = ImageDraw.Draw(sheet)
    right, bottom = x + size[0], y + size[1]
    if not marked:
        draw.rectangle((x - 1, y - 1, right, bottom), outline=HAIRLINE)
        return
    draw.rectangle((x - FRAME, y - FRAME, right + FRAME - 1, bottom + FRAME - 1), outline=WRONG, width=FRAME)
    _draw_cross(draw, right + FRAME - 16, y - FRAME)


def _draw_cross(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """A white cross on a square in the colour of mistakes, 16 pixels wide."""
    draw.rectangle((x, y, x + 15, y + 15), fill=WRONG)
    draw.line((x + 4, y + 4, x + 11, y + 11), fill=PAPER, width=2)
    draw.line((x + 4, y + 11, x + 11, y + 4), fill=PAPER, width=2)
