"""The parts of a search: rungs, proposals that a record brings back, predictions, and the record itself."""

import io
import json
import math
import multiprocessing
import random
import sys
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sightlab.cli.tune import drawn as shown_view
from sightlab.errors import RecipeError, StudyError
from sightlab.optim.schedules import build_schedule
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.records import Epoch
from sightlab.tune.budget import Budget, parse_budget
from sightlab.tune.cost_model import LISTED, CostModel, Pace, expected_epochs, kind_of, kinds, prediction_lines
from sightlab.tune.importance import importance
from sightlab.tune.methods import searcher_of
from sightlab.tune.progress import View
from sightlab.tune.random_search import sample
from sightlab.tune.run_search import last_budget, start_session
from sightlab.tune.rungs import ETA, LEAST, is_prefix, recipe_at, rungs_of
from sightlab.tune.search_plan import EARLY, METHODS, Plan, check_plan, check_same, default_method, name_of
from sightlab.tune.search_record import Record, find_record
from sightlab.tune.selection_bias import out_of_bag
from sightlab.tune.space import Range, Space, parse_space
from sightlab.tune.trials import Trial, best_of, ranked

_, MIXED = parse_space(["lr=0.001..1:log", "momentum=0..0.9", "batch_size=32,64"])
_, LISTS = parse_space(["lr=0.01,0.1", "batch_size=32,64,128"])


def plan_of(method: str, space: Space = MIXED, **more: object) -> Plan:
    return Plan("study", Recipe(epochs=9), space, method, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine", "one-cycle"])
@pytest.mark.parametrize("warmup", [0.0, 1.5])
def test_a_schedule_is_a_prefix_where_its_first_steps_do_not_depend_on_the_total(name: str, warmup: float) -> None:
    if name == "one-cycle" and warmup:
        return
    recipe = changed(Recipe(), {"schedule.name": name, "warmup_epochs": warmup})
    short, long = (build_schedule(recipe.schedule, steps_per_epoch=10, epochs=n) for n in (3, 9))
    assert is_prefix(recipe) == ([short(step) for step in range(30)] == [long(step) for step in range(30)])


def test_an_average_that_falls_over_the_whole_training_makes_no_prefix() -> None:
    assert is_prefix(changed(Recipe(), {"averaging": "lookahead"}))
    assert not is_prefix(changed(Recipe(), {"averaging": "lookahead", "averaging.alpha": "falling"}))


@given(st.integers(1, 2000))
def test_rungs_rise_to_the_last_epoch_by_the_factor_of_halving(epochs: int) -> None:
    rungs = rungs_of(Recipe(epochs=epochs), True)
    assert rungs[-1] == epochs
    assert list(rungs) == sorted(set(rungs))
    for short, long in pairwise(rungs):
        assert short == math.ceil(long / ETA)  # ceil(ceil(n / 3) / 3) = ceil(n / 9)
    assert rungs[0] <= ETA


def test_a_rung_of_a_prefix_is_the_trials_own_run_and_of_a_cycle_a_run_with_fewer_epochs() -> None:
    plain = Recipe(epochs=9)
    assert recipe_at(plain, 3).hash == plain.hash
    cycle = changed(plain, {"schedule": "one-cycle"})
    assert recipe_at(cycle, 3).epochs == 3
    warm = changed(plain, {"schedule": "cosine", "warmup_epochs": 2})
    assert rungs_of(warm, True) == (3, 9)  # in one epoch the warm-up would not end


@pytest.mark.parametrize("method", [method for method in METHODS if method != "grid"])
def test_a_searcher_that_replays_its_record_continues_as_if_never_stopped(method: str) -> None:
    plan = plan_of(method)

    def went(count: int, known: list[dict[str, object]]) -> tuple[list[dict[str, object]], list[bool]]:
        search = searcher_of(plan)
        values, decisions = [], []
        for number in range(count):
            one = search.ask(number, known[number] if number < len(known) else None)
            assert one is not None
            values.append(one)
            score = 1 - abs(math.log10(one["optimizer.lr"]) + 1) / 5
            decisions.append(True)
            for place in range(len(plan.rungs_of(one)) - 1):
                decisions.append(search.report(number, place, score))
                if not decisions[-1]:
                    search.stop(number)
                    break
                search.promote(number)
            else:
                search.tell(number, None if number == 3 else score)
        return values, decisions

    whole = went(16, [])
    assert went(16, whole[0][:11]) == whole
    assert any(not goes_on for goes_on in whole[1]) == (method in EARLY)


@pytest.mark.parametrize("method", ["grid", "random", "asha", "hyperband"])
def test_a_space_of_lists_is_gone_through_once(method: str) -> None:
    search = searcher_of(plan_of(method, LISTS))
    found = [search.ask(number) for number in range(6)]
    assert search.ask(6) is None
    cells = list(LISTS.grid())
    assert sorted(map(str, found)) == sorted(map(str, cells))
    assert (found == cells) == (method == "grid")


def test_halving_without_an_end_lets_the_best_third_go_on_by_now() -> None:
    """Li et al. 2020, algorithm 2: of the values told at a rung, those in the best third; the others may be later."""
    search = searcher_of(plan_of("asha"))
    decisions = []
    for number, score in enumerate([0.5, 0.9, 0.8, 0.7, 0.3, 0.85]):
        search.ask(number)
        decisions.append(search.report(number, 0, score))
        if decisions[-1]:
            search.promote(number)
    assert decisions == [False] * 5 + [True]  # the second best of six
    assert search.promotable(None) == [1]  # which was the best of three before
    search.promote(1)
    assert search.promotable(None) == []
    search.ask(6)
    assert search.report(6, 0, 0.95)  # one of the best two of seven, though two have gone on before


def test_halving_that_has_an_end_lets_go_on_what_is_certain_to_be_in_the_best_third() -> None:
    search = searcher_of(plan_of("asha", trials=9))
    scores = [0.1, 0.2, 0.9, 0.3, 0.8, 0.4, 0.5]
    for number, score in enumerate(scores):
        search.ask(number)
        assert not search.report(number, 0, score)
        assert search.promotable(9) == ([2] if number == 6 else [])  # two more may be better, and three go on
    search.promote(2)
    search.ask(7)
    search.report(7, 0, 0.6)
    assert search.promotable(9) == [4]
    search.promote(4)
    search.ask(8)
    search.tell(8, None)  # fails: of eight trials two go on
    assert search.promotable(9) == []
    search.report(2, 1, 0.9)
    assert search.promotable(9) == [2]  # two go on from every rung, and two come here


@settings(max_examples=60)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.integers(1, 4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_halving_comes_to_its_end_whatever_ends_first(
    scores: list[float], workers: int, known: bool, chance: random.Random
) -> None:
    """A search of several workers in little: whoever is done tells, what waits goes on before a new trial is begun."""
    search = searcher_of(plan_of("asha", trials=len(scores) if known else None))
    last = len(plan_of("asha").rungs_of({})) - 1
    at: dict[int, int] = {}
    ended: set[int] = set()
    busy: list[int] = []
    asked = 0
    while True:
        while len(busy) < workers:
            found = search.promotable(len(scores) if known or asked == len(scores) else None)
            if found:
                search.promote(found[0])
                at[found[0]] += 1
                busy.append(found[0])
            elif asked < len(scores):
                search.ask(asked)
                at[asked] = 0
                busy.append(asked)
                asked += 1
            else:
                break
        if not busy:
            break
        number = busy.pop(chance.randrange(len(busy)))
        if at[number] == last:
            search.tell(number, scores[number])
            ended.add(number)
        elif search.report(number, at[number], scores[number]):
            search.promote(number)
            at[number] += 1
            busy.append(number)
        else:
            search.stop(number)
    # Of every rung the best third has gone on, and two at least; so has the best of all trials, to the end.
    assert asked == len(scores)
    order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    for place in range(last):
        there = [number for number in order if at[number] >= place]
        gone = {number for number in there if at[number] > place}
        assert set(there[: len(there) // ETA]) <= gone
        assert len(gone) >= min(LEAST, len(there))
        if known:
            assert gone == set(there[: max(LEAST, len(there) // ETA)])  # nobody else
    assert order[0] in ended
    assert min(LEAST, len(scores)) <= len(ended)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.booleans())
def test_draws_stay_in_their_range_and_whole_numbers_whole(seed: int, log: bool) -> None:
    space = Space({"batch_size": Range(2, 5, True, log), "optimizer.lr": Range(0.1, 0.2, False, log)})
    generator = np.random.default_rng(seed)
    found = [sample(space, generator) for _ in range(200)]
    assert {one["batch_size"] for one in found} == {2, 3, 4, 5}
    assert all(0.1 <= one["optimizer.lr"] <= 0.2 for one in found)


@pytest.mark.parametrize(
    ("method", "words", "epochs", "says"),
    [
        ("grid", ["lr=0.1..0.2"], 9, "--method grid: optimizer.lr is a range"),
        ("cmaes", ["lr=0.1..0.2", "batch_size=32,64"], 9, "--method cmaes: needs at least two ranges"),
        ("asha", ["lr=0.1..0.2", "epochs=3,9"], 9, "--method asha: decides how many epochs"),
        ("hyperband", ["lr=0.1..0.2"], 2, "--method hyperband: 2 epochs leave nothing to stop early"),
        ("random", ["batch_size=0..4"], 9, "batch_size"),
        ("grid", ["pretrained=true,false"], 9, "pretrained and weights"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(method: str, words: list[str], epochs: int, says: str) -> None:
    fixed, space = parse_space(words)
    recipe = changed(Recipe(epochs=epochs), {**fixed, "model.weights": "some.pth"})
    with pytest.raises((StudyError, RecipeError), match=says):
        check_plan(Plan("study", recipe, space, method))


def test_the_usual_method_and_the_name_follow_from_the_search() -> None:
    assert (default_method(LISTS), default_method(MIXED)) == ("grid", "tpe")
    names = {name_of(Recipe(), space, method, 1) for space in (LISTS, MIXED) for method in ("random", "tpe")}
    assert len(names) == 4
    assert name_of(Recipe(name="other"), LISTS, "grid", 1).startswith("tune-other-")


def test_a_plan_comes_back_from_its_record_and_another_is_refused(tmp_path: Path) -> None:
    plan = plan_of("tpe", words=("cnn", "lr=0.1..1"), asked=Recipe(epochs=9).hash, data="d")
    record = Record.of(tmp_path, plan.name)
    record.create(plan)
    kept = find_record(tmp_path, "study").plan()
    assert kept == plan
    check_same(plan, kept)
    other = Plan(**{**vars(plan), "recipe": Recipe(epochs=8), "asked": Recipe(epochs=8).hash})
    with pytest.raises(StudyError, match=r"study study: its recipe has changed \(epochs 9 -> 8\)"):
        check_same(other, kept)
    with pytest.raises(StudyError, match="was created with another space"):
        check_same(Plan(**{**vars(plan), "space": LISTS}), kept)
    with pytest.raises(StudyError, match="the images of fashion-mini have changed"):
        check_same(Plan(**{**vars(plan), "data": "e"}), kept)
    with pytest.raises(StudyError, match=r"no study 'stud' in .*did you mean study"):
        find_record(tmp_path, "stud")
    with pytest.raises(StudyError, match="a name is 1 to 80 letters"):
        Record.of(tmp_path, "../else")


@given(st.integers(1, 60))
def test_a_line_that_a_kill_has_torn_is_dropped_and_the_next_stands_by_itself(cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        record = Record.of(Path(folder), "study")
        record.folder.mkdir(parents=True)
        record.note("asked", trial=0, values={"lr": 0.1})
        record.note("rung", trial=0, rung=0, value=0.123456789012345)
        file = record.folder / "events.jsonl"
        whole = file.read_bytes()
        lines = whole.splitlines(keepends=True)
        file.write_bytes(whole[: -min(cut, len(lines[1]))])
        again = Record.of(Path(folder), "study")
        assert again.events == record.events[:1]
        again.start_session({"workers": 1})
        assert [event["event"] for event in Record.of(Path(folder), "study").events] == ["asked", "session"]


def test_a_line_in_the_middle_that_is_damaged_is_named(tmp_path: Path) -> None:
    record = Record.of(tmp_path, "study")
    record.folder.mkdir(parents=True)
    (record.folder / "events.jsonl").write_text('{"event": "asked"}\nnot json\n{"event": "rest"}\n')
    with pytest.raises(StudyError, match=r"events\.jsonl: line 2 is damaged"):
        Record.of(tmp_path, "study")


def test_of_two_drivers_that_start_at_once_one_runs_the_study(tmp_path: Path) -> None:
    """The processes are forks of this one: they start together, and cost nothing."""
    context = multiprocessing.get_context("fork")

    def drive(barrier: Barrier, home: Path, results: "multiprocessing.SimpleQueue[str]") -> None:
        barrier.wait()
        try:
            start_session(plan_of("tpe"), home, {}, share=False)
            results.put("runs")
        except StudyError as error:
            results.put(str(error))
        barrier.wait()  # alive until both have tried

    for number in range(5):
        barrier, results = context.Barrier(2), context.SimpleQueue()
        home = tmp_path / str(number)
        drivers = [context.Process(target=drive, args=(barrier, home, results)) for _ in range(2)]
        for driver in drivers:
            driver.start()
        first, second = sorted((results.get(), results.get()), key=len)
        for driver in drivers:
            driver.join()
        assert first == "runs"
        pids = [str(driver.pid) for driver in drivers]
        assert second in {f"study study: process {pid} is running it; wait until it ends, or stop it" for pid in pids}
        assert [event["event"] for event in Record.of(home, "study").events] == ["session"]
        # Both have ended: the study can be resumed.
        start_session(plan_of("tpe"), home, {}, share=False)


def test_a_resumed_study_keeps_its_budget(tmp_path: Path) -> None:
    record = Record.of(tmp_path, "study")
    record.create(plan_of("tpe"))
    assert last_budget("study", tmp_path) == parse_budget("none") == Budget()
    for budget in (parse_budget("30m"), parse_budget("40epochs")):
        record.start_session({"budget": {"seconds": budget.seconds, "epochs": budget.epochs}})
        assert last_budget("study", tmp_path) == budget
    with pytest.raises(StudyError, match="no study 'other'"):
        last_budget("other", tmp_path)


@pytest.mark.parametrize(("library", "method"), [("optuna", "tpe"), ("optuna", "hyperband"), ("cmaes", "cmaes")])
def test_a_library_that_is_not_installed_is_named(library: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as Python's own import system takes for: not there
    with pytest.raises(StudyError, match=f"--method {method}: needs {library}, which is not installed; pip install"):
        searcher_of(plan_of(method))
    searcher_of(plan_of("random"))


def test_trials_of_one_cost_are_measured_once() -> None:
    _, space = parse_space(["lr=0.01,0.1", "batch_size=32,64", "model=cnn,lenet", "flip=0,0.25,0.5", "gamma=0.1..0.9"])
    found = kinds(plan_of("tpe", space))
    assert len(found) == 2 * 2 * 2  # batch sizes, models, and whether there are flips
    assert {recipe.epochs for recipe in found.values()} == {1}
    _, ranges = parse_space(["batch_size=16..256:log", "lr=0.01..0.1"])
    assert {recipe.batch_size for recipe in kinds(plan_of("tpe", ranges)).values()} == {16, 256}
    assert kind_of(ranges, {"batch_size": 32, "optimizer.lr": 0.01}) == (("batch_size", 16),)


def test_a_prediction_is_epochs_times_pace_and_starts() -> None:
    plan = plan_of("grid", LISTS, seeds=2)
    paces = {kind: Pace(10.0 * number, 1.0) for number, kind in enumerate(kinds(plan), 1)}
    costs = CostModel(plan, paces)
    assert costs.seconds({"optimizer.lr": 0.1, "batch_size": 64}) == 2 * (9 * 20.0 + 1.0)
    assert costs.cheapest_epoch() == 11.0


def test_every_cell_of_a_grid_is_told_its_time_and_of_a_huge_one_every_kind() -> None:
    _, grid = parse_space(["lr=0.01,0.03,0.06,0.09,0.12", "batch_size=16,32,64,128,256"])
    plan = plan_of("grid", grid)
    costs = CostModel(plan, {kind: Pace(20.0, 0.0) for kind in kinds(plan)})
    lines, seconds = prediction_lines(costs, list(grid.grid()), Budget(seconds=1800), 2)
    assert lines[0] == "  lr=0.01 batch_size=16: 3:00 min" and lines[24].startswith("  lr=0.12 batch_size=256")
    assert lines[25:] == [
        "25 trials to train, about 39:00 min with 2 processes",  # one of the two has 13 trials
        "the budget of 30:00 min fits about 20 trials",
    ]
    assert seconds == 13 * 180
    _, huge = parse_space([f"lr={','.join(str(n / 1000) for n in range(1, LISTED))}", "batch_size=32,64"])
    lines, _ = prediction_lines(CostModel(plan_of("grid", huge), costs.paces), list(huge.grid()), Budget(), 2)
    assert lines[0] == "  batch_size=16: 20.0 s an epoch" and len(lines) == 6


def test_expected_epochs_are_what_halving_leaves_of_many_trials() -> None:
    """A simulation by hand of 27 trials in three rungs: 27 have 1 epoch, 9 have 3, 3 have 9, 1 has 27."""
    rungs = (1, 3, 9, 27)
    epochs, starts = expected_epochs("asha", rungs, prefix=True)
    assert 27 * epochs == pytest.approx(27 * 1 + 9 * 2 + 3 * 6 + 1 * 18)
    assert 27 * starts == pytest.approx(27 + 9 + 3 + 1)
    epochs, _ = expected_epochs("asha", rungs, prefix=False)
    assert 27 * epochs == pytest.approx(27 * 1 + 9 * 3 + 3 * 9 + 1 * 27)
    # Of 25 trials known beforehand 8 go on, then 2, and these to the end.
    few, starts = expected_epochs("asha", rungs, True, 25)
    assert 25 * few == pytest.approx(25 * 1 + 8 * 2 + 2 * 6 + 2 * 18)
    assert 25 * starts == pytest.approx(25 + 8 + 2 + 2)
    assert expected_epochs("grid", (27,), prefix=True) == (27, 1)
    hyper, _ = expected_epochs("hyperband", rungs, prefix=True)
    assert epochs / 3 < hyper < 27


def epoch(number: int, accuracy: float, loss: float, best: bool) -> Epoch:
    return Epoch(number, 1.0, 0.5, loss, accuracy, 0.1, 1.0, 100.0, best)


def test_a_run_is_worth_its_best_epoch_and_a_trial_with_fewer_epochs_is_not_held_against_the_others() -> None:
    epochs = [epoch(1, 0.5, 1.0, True), epoch(2, 0.7, 0.9, True), epoch(3, 0.7, 0.8, True), epoch(4, 0.7, 0.8, False)]
    assert best_of(epochs).epoch == 3
    recipe = Recipe(epochs=9)

    def trial(number: int, state: str, values: list[float], duplicate_of: int | None = None) -> Trial:
        return Trial(number, {}, recipe, (1, 3, 9), len(values), values, state, duplicate_of=duplicate_of)

    pruned, low, high = (
        trial(0, "pruned", [0.99]),
        trial(1, "complete", [0.1, 0.2, 0.6]),
        trial(2, "complete", [0.7] * 3),
    )
    again, failed = trial(3, "complete", [0.7] * 3, duplicate_of=2), trial(4, "failed", [0.999])
    everything = [pruned, low, high, again, failed]
    assert [one.number for one in ranked(plan_of("asha"), everything)] == [2, 1]
    assert [one.number for one in ranked(plan_of("asha", metric="validation_loss", maximize=False), everything)] == [
        1,
        2,
    ]
    cut = trial(5, "open", [0.5, 0.4])
    assert [one.number for one in ranked(plan_of("asha"), [pruned, cut, failed])] == [5]


def test_the_live_view_has_a_line_a_worker_under_one_on_the_whole() -> None:
    view = View(
        (("trial 3 (lr=0.1)", 2, 9, 0.5), ("trial 4 (lr=0.2)", 1, 9, 0.0)),
        2,
        6,
        "91.00% (trial 1)",
        95.0,
        "5 epochs left",
    )
    text = io.StringIO()
    Console(file=text, width=100, color_system=None).print(shown_view(view))
    head, first, second = (line.strip() for line in text.getvalue().strip().splitlines())
    assert head == "2 of 6 trials ended; best 91.00% (trial 1); 1:35 min; 5 epochs left"
    assert first.startswith("trial 3 (lr=0.1)  epoch 2/9")
    assert second.startswith("trial 4 (lr=0.2)  epoch 1/9")


def test_what_matters_is_told_from_what_does_not() -> None:
    _, space = parse_space(["lr=0.001..1:log", "momentum=0..0.9", "model=cnn,lenet"])
    plan = plan_of("random", space)
    generator = np.random.default_rng(0)
    trials = []
    for number in range(60):
        values = sample(space, generator)
        score = 1 - abs(math.log10(values["optimizer.lr"]) + 1.5)
        trials.append(Trial(number, values, plan.recipe, (9,), 0, [score], "complete"))
    shares = importance(plan, trials)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["optimizer.lr"] > 0.7
    assert importance(plan, trials[:19]) == {}


def test_the_luck_of_the_best_of_equal_trials_is_the_expected_maximum_of_their_noise() -> None:
    """Ten trials, each right on 70 % of the images: the best has E[max of 10 normals] = 1.5388 standard errors."""
    generator = np.random.default_rng(0)
    images, share, lucks = 400, 0.7, []
    for _ in range(60):
        right = (generator.random((10, images)) < share).astype(np.float64)
        lucks.append(right.mean(axis=1).max() - out_of_bag(right, 200))
    error = math.sqrt(share * (1 - share) / images)
    assert np.mean(lucks) == pytest.approx(1.5388 * error, abs=4 * np.std(lucks) / math.sqrt(60))


def test_one_trial_alone_and_a_clear_winner_have_no_luck() -> None:
    generator = np.random.default_rng(1)
    right = (generator.random((1, 2000)) < 0.8).astype(np.float64)
    assert out_of_bag(right) == pytest.approx(right.mean(), abs=0.002)
    worse = (generator.random((5, 2000)) < 0.4).astype(np.float64)
    assert out_of_bag(np.vstack([right, worse])) == out_of_bag(right)
    with pytest.raises(ValueError, match="at least one trial and two images"):
        out_of_bag(np.ones((1, 1)))


def test_a_record_is_plain_json_lines(tmp_path: Path) -> None:
    record = Record.of(tmp_path, "study")
    record.folder.mkdir(parents=True)
    record.note("epoch", run="0" * 16, epoch=1)
    assert [json.loads(line) for line in (record.folder / "events.jsonl").read_text().splitlines()] == record.events
