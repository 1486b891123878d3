"""Reports: every run ends with one, made of what the run keeps; figures are scikit-learn's; pictures are the data's."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

import sightlab
from sightlab.data.load import load_parts
from sightlab.errors import RunError
from sightlab.recipes.overrides import changed
from sightlab.records import Predictions
from sightlab.records.identity import Identity, what_differs
from sightlab.report import write_report
from sightlab.report.galleries import (
    EXACT_SIDE,
    FILE,
    MOST,
    encode,
    galleries_of,
    least_confident_hits,
    most_confident_errors,
    read_galleries,
    save_galleries,
)
from sightlab.store.predictions import read_predictions
from sightlab.store.run_folder import read_facts
from sightlab.training.callbacks import Callback, Paused, Watch
from tests.conftest import Cli, refused_with
from tests.report_runs import NASTY, opened_again, own_images, own_net, own_run

# One process trains the runs that these tests share.
pytestmark = pytest.mark.xdist_group("report")
PLAIN = ("cat", "dog")


def text_of(page: str) -> str:
    """What a page says, without its style, pictures and marks."""
    body = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def cells_of(page: str, table: str) -> list[list[str]]:
    """The texts of a table's body, a row each. table: how its class or label begins."""
    found = re.search(rf"{table}.*?<tbody>(.*?)</tbody>", page, flags=re.DOTALL)
    assert found
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", found[1], flags=re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL)] for row in rows]


@pytest.fixture(scope="module")
def page(small_run: Path) -> str:
    """The report that a run wrote at its end."""
    return (small_run / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose class names are hard to show."""
    return own_run(tmp_path_factory.mktemp("runs"), NASTY, 30)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two classes, whose charts are drawn at once."""
    return own_run(tmp_path_factory.mktemp("runs"), PLAIN, 30)


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """A run's folder to do harm to."""
    return Path(shutil.copytree(plain, tmp_path / "runs" / plain.name))


def test_a_run_ends_with_its_report(small_run: Path, page: str) -> None:
    run = sightlab.open_run(small_run)
    assert run.test is not None
    said = text_of(page)
    low, high = run.test.interval
    assert f"{run.test.correct:,} of 2,000 test images correctly: {run.test.accuracy:.2%}" in said
    assert f"95 % interval {low:.2%} to {high:.2%}" in said
    assert "data.limit_per_class=100 epochs=2" in said
    assert "The test split was opened once" in said


def test_a_report_needs_nothing_but_itself(page: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "<script" not in page
    assert "url(http" not in page
    assert "@import" not in page


def test_the_classes_have_scikit_learns_figures(small_run: Path, page: str) -> None:
    said = read_predictions(small_run / "predictions-test.safetensors")
    figures = precision_recall_fscore_support(said.labels, said.logits.argmax(1), zero_division=0)
    rows = cells_of(page, 'class="classes"')
    assert [row[0] for row in rows] == list(said.classes)
    for row, precision, recall, f1, support in zip(rows, *figures, strict=True):
        shown = [float(row[place].rstrip("%")) for place in (2, 3, 6)]
        assert shown == pytest.approx([100 * precision, 100 * recall, 100 * f1], abs=0.0501)
        assert int(row[1]) == support


def test_the_worst_mistakes_have_scikit_learns_counts(small_run: Path, page: str) -> None:
    said = read_predictions(small_run / "predictions-test.safetensors")
    matrix = confusion_matrix(said.labels, said.logits.argmax(1), labels=range(10))
    np.fill_diagonal(matrix, 0)
    rows = cells_of(page, 'aria-label="Most frequent mistakes"')
    counts = [int(row[2]) for row in rows]
    assert counts == sorted(matrix.ravel().tolist(), reverse=True)[: len(rows)]
    for true, taken, count, _ in rows:
        assert matrix[said.classes.index(true), said.classes.index(taken)] == int(count)
    assert f"“{rows[0][0]}” was predicted as “{rows[0][1]}” {rows[0][2]} times" in text_of(page)


def test_a_report_written_again_says_the_same_and_opens_nothing(small_run: Path, tmp_path: Path) -> None:
    before = (small_run / "bundle" / "openings.jsonl").read_bytes()
    again = write_report(small_run, tmp_path / "again.html").read_text(encoding="utf-8")
    assert (small_run / "bundle" / "openings.jsonl").read_bytes() == before

    def without_time(text: str) -> str:
        return re.sub(r"<footer>.*?</footer>", "", text, flags=re.DOTALL)

    assert without_time(again) == without_time((small_run / "report.html").read_text(encoding="utf-8"))


def test_a_second_opening_is_told_in_sight(copy: Path) -> None:
    opened_again(copy, PLAIN, 30, "the <reviewers> asked")
    said = text_of(write_report(copy).read_text(encoding="utf-8"))
    assert said.count("The test split has been opened 2 times.") == 1
    assert "The test split has been opened twice." in said
    assert "the <reviewers> asked" in said


class Quiet(Callback):
    """A callback of the user's own, which does nothing."""


def test_metrics_parts_and_identity_are_shown_and_old_runs_have_none(tmp_path: Path) -> None:
    changes = {"epochs": 2, "metrics": "brier,balanced_accuracy", "select_by": "balanced_accuracy"}
    recipe = changed(sightlab.recipe("cnn"), changes)
    data = own_images(("a", "b"), 30)
    run = sightlab.train(recipe, model=own_net(2), data=data, callbacks=[Quiet()], home=tmp_path)
    best = next(epoch for epoch in run.epochs if epoch.epoch == run.best_epoch)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    said = text_of(page)
    assert f"the best by validation balanced_accuracy ({best.metrics['balanced_accuracy']:.4g})" in said
    assert "Loss, accuracy and metrics of each epoch" in said
    rows = cells_of(page, 'aria-label="All epochs"')
    kept = [[f"{epoch.metrics[name]:.4g}" for name in ("brier", "balanced_accuracy")] for epoch in run.epochs]
    assert [row[5:7] for row in rows] == kept
    facts = read_facts(run.folder)
    identity = Identity.from_json(facts["identity"])
    assert all(f"{what_differs(slot)} {part}" in said for slot, part in identity.parts.items())
    assert "metrics [] [brier, balanced_accuracy]" in said
    assert "callbacks " in said
    assert "Quiet" in said
    assert f"identity {identity.key}" in said
    (run.folder / "run.json").write_text(json.dumps({key: facts[key] for key in facts if key != "identity"}))
    assert "identity not recorded" in text_of(write_report(run.folder).read_text(encoding="utf-8"))


def test_a_run_without_pictures_still_has_a_report(copy: Path) -> None:
    (copy / FILE).unlink()
    assert "No images were saved with this run." in text_of(write_report(copy).read_text(encoding="utf-8"))


def test_every_name_is_escaped(nasty: Path) -> None:
    page = (nasty / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("</style>") == 1
    assert [row[0] for row in cells_of(page, 'class="classes"')] == [" ".join(name.split()) for name in NASTY]


def test_hundreds_of_classes_have_a_table_to_unfold_and_no_picture_of_the_matrix(tmp_path: Path) -> None:
    folder = own_run(tmp_path, [f"class {n}" for n in range(300)], 7)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "a confusion matrix is not legible as a chart" in page
    assert '<details class="rarely">\n<summary>All 300 classes as a table</summary>' in page
    assert len(cells_of(page, 'class="classes"')) == 300
    assert len(page) < 500_000


def test_a_model_that_is_always_right_has_a_report(tmp_path: Path) -> None:
    pixels = np.zeros((80, 4, 4, 1), np.uint8)
    labels = np.tile(np.arange(2), 40)
    pixels[labels == 1] = 255
    data = sightlab.ImageSet(pixels, labels.astype(np.int64), ("dark", "bright"))
    recipe = changed(sightlab.recipe("cnn"), {"epochs": 3, "lr": 0.05})
    run = sightlab.train(recipe, model=own_net(2, (4, 4, 1)), data=data, home=tmp_path)
    assert run.test is not None
    assert run.test.accuracy == 1
    said = text_of((run.folder / "report.html").read_text(encoding="utf-8"))
    assert "The model classifies all 12 test images correctly" in said
    assert "No image was misclassified." in said
    assert "Most confident mistakes" not in said
    assert 'sightlab.train(sightlab.recipe("recipe.yaml"), model=model, data=data)' in said


def test_a_report_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    recipe = changed(sightlab.recipe("cnn"), {"epochs": 1})
    data = own_images(("a", "b"), 30)
    with pytest.raises(Paused):
        sightlab.train(recipe, model=own_net(2), data=data, home=tmp_path, callbacks=[Watch(pause=lambda: True)])
    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    (folder / "report.html").mkdir()
    said: list[str] = []
    run = sightlab.resume(folder, model=own_net(2), data=data, callbacks=[Watch(say=said.append)])
    assert run.test is not None
    assert read_facts(folder)["status"] == "finished"
    assert any("report.html: is a folder" in line and "the run itself is whole" in line for line in said)


# Galleries.


def test_pictures_are_those_of_the_data(small_run: Path) -> None:
    found = read_galleries(small_run)
    assert found is not None
    assert [(one.kind, one.split) for one in found] == [
        ("errors", "test"), ("hits", "test"), ("suspects", "test"), ("suspects", "validation"),
    ]  # fmt: skip
    images = load_parts("fashion-mini:test").parts.splits["all"]
    said = read_predictions(small_run / "predictions-test.safetensors")
    wrong = said.logits.argmax(1) != said.labels
    for one in found[:2]:
        rows = np.array([exhibit.row for exhibit in one.images])
        assert len(rows) == MOST
        assert (one.pixels == images.gather(rows)).all()
        assert wrong[rows].all() == (one.kind == "errors")
        assert one.found == (wrong.sum() if one.kind == "errors" else (~wrong).sum())
        assert [exhibit.label for exhibit in one.images] == [images.classes[label] for label in images.labels[rows]]


@given(arrays(np.float32, (12, 3), elements=st.floats(-5, 5, width=32)), st.integers(1, 12))
def test_the_surest_mistakes_and_the_least_sure_hits_are_those_of_plain_python(
    logits: np.ndarray[tuple[int, int], np.dtype[np.float32]], most: int
) -> None:
    labels = np.arange(12) % 3
    said = Predictions(logits, labels, np.arange(12), ("a", "b", "c"))
    trust = [float(np.exp(row - row.max()).sum() ** -1) for row in logits.astype(np.float64)]
    wrong = [n for n in range(12) if int(logits[n].argmax()) != labels[n]]
    right = [n for n in range(12) if n not in wrong]
    errors, hits = most_confident_errors(said, most).tolist(), least_confident_hits(said, most).tolist()
    assert set(errors) <= set(wrong)
    assert len(errors) == min(most, len(wrong))
    assert [trust[n] for n in errors] == pytest.approx(sorted((trust[n] for n in wrong), reverse=True)[:most])
    assert set(hits) <= set(right)
    assert [trust[n] for n in hits] == pytest.approx(sorted(trust[n] for n in right)[:most])


@pytest.mark.parametrize(
    ("shape", "kept"),
    [
        ((28, 28, 1), (28, 28, 1)),
        ((32, 32, 3), (32, 32, 3)),
        ((9, 7, 2), (9, 7, 1)),
        ((9, 7, 12), (9, 7, 3)),
        ((160, 90, 3), (160, 90, 3)),
        ((300, 1024, 3), (47, 160, 3)),
        ((1000, 2, 1), (160, 1, 1)),
    ],
)
def test_pictures_are_kept_in_grey_or_colour_and_at_most_160_pixels_long(
    tmp_path: Path, shape: tuple[int, int, int], kept: tuple[int, int, int]
) -> None:
    images = own_images(("a", "b"), 3, shape)
    said = Predictions(np.zeros((6, 2), np.float32), images.labels, np.arange(6), images.classes)
    galleries = galleries_of(said, images, said, images)
    save_galleries(tmp_path, galleries)
    found = read_galleries(tmp_path)
    assert found is not None
    for before, after in zip(galleries, found, strict=True):
        assert after.images == before.images
        assert (after.kind, after.split, after.found) == (before.kind, before.split, before.found)
        assert (after.pixels == before.pixels).all()
        assert after.pixels.shape[1:] == kept
        kind, content = encode(after.pixels[0])
        assert kind == ("image/png" if max(kept[:2]) <= EXACT_SIDE else "image/jpeg")
        assert content


def test_a_folder_without_pictures_has_none(tmp_path: Path) -> None:
    assert read_galleries(tmp_path) is None


def test_damaged_pictures_are_one_line(copy: Path) -> None:
    content = (copy / FILE).read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"not a file of tensors"):
        (copy / FILE).write_bytes(damaged)
        with pytest.raises(
            RunError, match=r"galleries\.safetensors: cannot be read: .*delete it for a report without images"
        ):
            write_report(copy)
    facts = {"kind": "errors", "split": "test", "found": 1, "exhibits": []}
    save_file(
        {"errors-test": np.zeros((2, 8, 8, 1), np.uint8)},
        copy / FILE,
        {"galleries": json.dumps({"format": 1, "galleries": [facts]})},
    )
    with pytest.raises(RunError, match="0 images have pixels uint8"):
        write_report(copy)


# What is refused.


def test_a_run_that_has_not_finished_is_told_what_would_work(copy: Path) -> None:
    facts = json.loads((copy / "run.json").read_text())
    for status, says in (
        (
            "interrupted",
            f"interrupted, so there is no test score; finish it with `sightlab train --resume {copy.name}`",
        ),
        ("failed", "failed (out of memory), so there is no test score"),
    ):
        (copy / "run.json").write_text(json.dumps(facts | {"status": status, "reason": "out of memory"}))
        with pytest.raises(RunError, match=re.escape(says)):
            write_report(copy)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("predictions-test.safetensors", b"cut", "no predictions can be read"),
        ("predictions-validation.safetensors", None, "no predictions can be read"),
        ("run.json", b"{", "run.json: damaged"),
        ("recipe.yaml", None, "recipe.yaml: cannot be read"),
        ("recipe.yaml", b"\xff\xfe", "recipe.yaml: cannot be read: not a text file"),
        ("environment.json", b"[1]", "environment.json: damaged: not a JSON object"),
        ("bundle/bundle.json", b"{}", "bundle.json: damaged"),
    ],
)
def test_a_damaged_file_is_named_and_the_report_before_stays(
    copy: Path, file: str, content: bytes | None, says: str
) -> None:
    before = (copy / "report.html").read_bytes()
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    with pytest.raises(RunError, match=re.escape(says)):
        write_report(copy)
    assert (copy / "report.html").read_bytes() == before


def test_predictions_of_another_run_are_refused(copy: Path) -> None:
    path = copy / "predictions-test.safetensors"
    kept = load_file(path)
    names = {str(n): name for n, name in enumerate(PLAIN)}
    save_file({key: value[:-1].copy() for key, value in kept.items()}, path, names)
    with pytest.raises(RunError, match="one of the two is of another run"):
        write_report(copy)
    save_file({**kept, "logits": np.full_like(kept["logits"], np.nan)}, path, names)
    with pytest.raises(RunError, match="damaged: logits of row 0 are not finite"):
        write_report(copy)


def test_a_run_without_a_record_of_its_machine_has_a_report(copy: Path) -> None:
    (copy / "environment.json").unlink()
    assert "The machine that trained this model was not recorded." in write_report(copy).read_text(encoding="utf-8")


# The command.


def test_the_command_writes_beside_the_run_or_where_it_is_told(cli: Cli, copy: Path, tmp_path: Path) -> None:
    (copy / "report.html").unlink()
    assert cli("report", copy.name[:4], "--home", copy.parent) == (0, f"{copy / 'report.html'}\n", "")
    assert (copy / "report.html").is_file()
    status, out, _ = cli("report", copy, "-o", "deep/er/mine.html", "--json")
    assert (status, json.loads(out)) == (0, {"report": "deep/er/mine.html"})
    assert (tmp_path / "deep/er/mine.html").read_bytes()[:15] == b"<!DOCTYPE html>"


def test_several_runs_or_a_study_make_a_comparison(cli: Cli, copy: Path, tmp_path: Path) -> None:
    home = copy.parent
    other = own_run(home, PLAIN, 30, lr=0.3, report=False)
    status, out, err = cli("report", copy.name, other.name, "--home", home)
    assert (status, out, err) == (0, "comparison.html\n", "")
    said = text_of((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert "has the highest test accuracy" in said
    assert "optimizer.lr (0.02 there, 0.3 here)" in said
    assert f"sightlab compare {copy.name} {other.name}" in said
    for study, runs in (("rates", (copy, other)), ("more", (copy,))):
        for run in runs:
            from sightlab.store.annotations import Study, read_labels, write_labels

            write_labels(run, read_labels(run).with_study(Study(study)))
    status, out, _ = cli("report", "rates", "--home", home)
    assert (status, out) == (0, "rates.html\n")
    assert "<h1>rates</h1>" in (tmp_path / "rates.html").read_text(encoding="utf-8")
    refused_with(cli("report", "rates", "more", "--home", home), "'rates' and 'more': two studies")


def test_what_cannot_be_reported_is_one_line_and_nothing_is_half_written(cli: Cli, copy: Path, tmp_path: Path) -> None:
    refused_with(cli("report", "zzz", "--home", copy.parent), "no run 'zzz'")
    refused_with(cli("report", copy / "bundle"), "a bundle without run.json; a report needs a run folder")
    refused_with(cli("report", copy, "-o", tmp_path), "is a folder; name a file, such as")
    (tmp_path / "file").write_text("x")
    refused_with(cli("report", copy, "-o", "file/report.html"), "cannot be written: ")
    assert (tmp_path / "file").read_text() == "x"
    (copy / "predictions-test.safetensors").write_bytes(b"")
    refused_with(cli("report", copy, "-o", "new.html"), "no predictions can be read")
    assert not (tmp_path / "new.html").exists()
    assert not list(tmp_path.glob(".new*"))


def test_a_run_without_a_report_gets_it_later(small_data: str, tmp_path: Path, cli: Cli) -> None:
    """`report=off` writes no chart and no page; the test is the same, and `sightlab report` needs nothing more."""
    status, out, _ = cli(
        "train", "cnn", "model=lenet", f"data={small_data}", "epochs=1", "report=off", "--home", "home"
    )
    folder = next((tmp_path / "home").glob("*-*/run.json")).parent
    assert (status, [*folder.glob("*.html"), *folder.glob("*.png"), *folder.glob("*.svg")]) == (0, [])
    assert f"next            sightlab report {folder.name[:6]}" in out
    assert cli("report", folder)[0] == 0
    assert (folder / "report.html").is_file()
