"""data.yaml states how a folder is read; docs/data.md shows one that works, and the table of layouts."""

import importlib.util
import re
from pathlib import Path

import pytest

from sightlab.data.layouts.table import LAYOUTS
from sightlab.data.load import examined, load_parts
from sightlab.errors import DataError
from tests.picture_files import flat, spread

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def pets(root: Path) -> Path:
    """What the example of docs/data.md describes, with a mask and a draft that are to be ignored."""
    names = [f"photos/{part}/{label}/{n}.png" for part in ("2023", "2024", "holdout") for label in "01" for n in "ab"]
    files = {name: flat(place) for place, name in enumerate(names)}
    extra = {"photos/2023/0/a_mask.png": flat(99), "photos/2023/drafts/x.png": flat(98)}
    return spread(root, files | extra)


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    root = pets(tmp_path / "pets")
    (example,) = re.findall(r"```yaml\n# pets/data\.yaml\n(.*?)```", PAGE, re.DOTALL)
    (root / "data.yaml").write_text(example)
    parts = load_parts(root).parts
    assert list(parts.splits) == ["train", "validation", "test"] and parts.classes == ("cat", "dog")
    assert [len(images) for images in parts.splits.values()] == [4, 4, 4]
    assert parts.splits["test"].labels.tolist() == [0, 0, 1, 1]
    assert parts.notes[0] == "read as data.yaml says: layout, split, ignore, names"


def test_a_description_may_lie_elsewhere_and_words_win_over_it(tmp_path: Path) -> None:
    pets(tmp_path / "pets")
    description = tmp_path / "descriptions" / "mine.yaml"
    description.parent.mkdir()
    description.write_text("path: ../pets/photos/2023\nclasses: ['0', '1']\nignore: '*_mask.png'\n")
    assert load_parts(description).parts.classes == ("0", "1")
    assert load_parts(description, classes="1,0").parts.classes == ("1", "0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layuot: class-folders", r"data\.yaml: unknown key 'layuot'; did you mean layout\?"),
        ("- cat\n- dog", "holds no keys; it states how data are read"),
        ("layout: [", "cannot be read as YAML"),
        ("path: elsewhere", "path is .*elsewhere, and there is no such file or folder"),
        ("names: 7", "names is 7; it takes `label: class name` lines"),
        ("label: {a: b}", "label is .*; it takes a text or a number"),
        ("split: {breakfast: photos}", r"expected a column's name, or places as in `split=train:DIR,test:DIR`"),
        ("size: 0", "size is 0; it takes a whole number from 1"),
    ],
)
def test_a_description_that_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    root = pets(tmp_path / "pets")
    (root / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        load_parts(root)
    assert "\n" not in str(caught.value)


def test_a_detectors_description_says_nothing_about_classes(tmp_path: Path) -> None:
    root = spread(
        tmp_path / "roboflow", {f"{s}/{c}/1.png": flat(1) for s in ("train", "valid") for c in ("ripe", "raw")}
    )
    (root / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['raw', 'ripe']\n")
    loaded = load_parts(root)
    assert loaded.layout == "split-folders" and "data.yaml is an object detector's: ignored" in loaded.parts.notes


def test_every_layout_has_a_name_a_title_and_a_drawing_of_its_own() -> None:
    names = [layout.name for layout in LAYOUTS]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert all(layout.title and layout.title[-1] != "." and layout.drawing.strip() for layout in LAYOUTS)


def test_the_page_lists_the_layouts_of_today() -> None:
    spec = importlib.util.spec_from_file_location("make_data_page", ROOT / "tools" / "make_data_page.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.page(PAGE) == PAGE, "run tools/make_data_page.py"


def test_the_page_names_every_word() -> None:
    from sightlab.data.read_options import ReadWords

    for word in set(ReadWords.__annotations__) - {"one_class", "names"}:
        assert f"`{word}=`" in PAGE, word


def test_an_examination_decodes_nothing(tmp_path: Path) -> None:
    root = spread(tmp_path, {"cat/1.png": b"broken", "dog/1.png": b"broken"})
    decision = examined(root).decision
    assert decision.chosen is not None and decision.chosen.classes == ("cat", "dog")
