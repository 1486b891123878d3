"""Layouts of public multi-label and detection sets: recognised, and refused with the way out."""

from __future__ import annotations

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, can_honour, refused
from sightlab.data.layouts.known_files import called, folder_of, known_form
from sightlab.data.messages import shortened
from sightlab.data.tables.finder import without_suffix

NAME = "several-labels"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The refusal of Pascal VOC, of the full numbers of SVHN and of ChestX-ray14; None for other sources."""
    if not can_honour(options, NAME):
        return None
    label = shortened(inventory.label, 80)
    if voc := voc_folder(inventory):
        return refused(
            NAME,
            f"{label}: {voc} is Pascal VOC, several objects with boxes a picture, not one class; cut the objects out "
            "into class folders, as in dog/1.jpg, or name a list of `file,label` lines, as in `list=labels.csv`",
            KNOWN,
        )
    if boxes := svhn_boxes(inventory):
        return refused(
            NAME,
            f"{label}: {boxes} has boxes of several digits a picture (SVHN's format 1); give the cropped digits of "
            "format 2, train_32x32.mat and test_32x32.mat",
            KNOWN,
        )
    if findings := chest_findings(inventory):
        return refused(
            NAME,
            f"{label}: {findings} has several findings a picture (`A|B`), not one class; `label=` takes another "
            "column, or give a list of `file,label` lines",
            KNOWN,
        )
    return None


def voc_folder(inventory: Inventory) -> str:
    """The file of boxes of a picture of Pascal VOC, "" where there is none: Annotations/1.xml of JPEGImages/1.jpg."""
    files = inventory.container.sizes
    for name in inventory.pictures:
        folder, slash, last = name.rpartition("JPEGImages/")
        boxes = f"{folder}Annotations/{without_suffix(last)}.xml"
        if slash and (not folder or folder.endswith("/")) and boxes in files:
            return boxes
    return ""


def svhn_boxes(inventory: Inventory) -> str:
    """The digitStruct.mat that lies beside numbered pictures; "" where there is none."""
    folders = {folder_of(name) for name in inventory.pictures if name.rpartition("/")[2].partition(".")[0].isdigit()}
    return next((name for name in called(inventory, "digitstruct.mat") if folder_of(name) in folders), "")


def chest_findings(inventory: Inventory) -> str:
    """The table of ChestX-ray14, "" where there is none."""
    for name in called(inventory, "data_entry_2017.csv", "data_entry_2017_v2020.csv"):
        table = inventory.tables.get(name)
        if inventory.pictures and table and "Finding Labels" in table.records[0][1]:
            return name
    return ""


LAYOUT = Layout(
    NAME,
    "several objects or findings a picture (refused)",
    """
    VOC2012/
      JPEGImages/   2007_000027.jpg
      Annotations/  2007_000027.xml
    """,
    known_form(NAME, matches),
)
