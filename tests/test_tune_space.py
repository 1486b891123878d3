"""What a search may vary and may take: words in, values out, one line for what does not fit."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.errors import RecipeError, StudyError
from sightlab.recipes.schema import Recipe
from sightlab.tune.budget import Budget, check_budget, parse_budget
from sightlab.tune.search_plan import Plan
from sightlab.tune.space import Choice, Range, Space, check_fit, parse_space, worded

numbers = st.floats(1e-6, 1e6).map(lambda value: float(f"{value:.6g}"))


@given(st.lists(numbers, min_size=2, max_size=6, unique=True))
def test_a_list_keeps_its_values_and_their_order(values: list[float]) -> None:
    _, space = parse_space(["lr=" + ",".join(map(repr, values))])
    assert space.axes == {"optimizer.lr": Choice(tuple(values))}
    assert [cell["optimizer.lr"] for cell in space.grid()] == values


@given(numbers, numbers, st.booleans())
def test_a_range_is_what_its_ends_say(a: float, b: float, log: bool) -> None:
    word = f"lr={a!r}..{b!r}{':log' if log else ''}"
    if a >= b:
        with pytest.raises(StudyError, match="is empty"):
            parse_space([word])
        return
    _, space = parse_space([word])
    found = space.axes["optimizer.lr"]
    assert found == Range(a, b, False, log)
    assert isinstance(found, Range)
    assert found.share(a) == 0.0
    assert math.isclose(found.share(b), 1.0)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_a_grid_has_every_combination_once_in_the_order_of_nested_loops(sizes: list[int]) -> None:
    keys = ["optimizer.lr", "batch_size", "epochs", "optimizer.weight_decay"][: len(sizes)]
    space = Space({key: Choice(tuple(range(1, n + 1))) for key, n in zip(keys, sizes, strict=True)})
    cells = [tuple(cell[key] for key in keys) for cell in space.grid()]
    assert cells == list(itertools.product(*(range(1, n + 1) for n in sizes)))
    assert space.cells == len(cells)


@given(
    st.dictionaries(
        st.sampled_from(["optimizer.lr", "batch_size", "model.name", "augment.flip"]),
        st.one_of(
            st.lists(st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)), min_size=1).map(
                lambda values: Choice(tuple(values))
            ),
            st.builds(Range, st.just(1), st.integers(2, 99), st.just(True), st.booleans()),
        ),
    )
)
def test_a_space_comes_back_from_json(axes: dict[str, Choice | Range]) -> None:
    assert Space.from_json(Space(axes).to_json()) == Space(axes)


def test_one_value_is_the_same_for_all_trials_and_a_range_of_a_whole_number_is_whole() -> None:
    fixed, space = parse_space(
        ["epochs=3", "batch_size=16..64:log", "model=cnn,lenet", "data=../pictures", "size=null"]
    )
    assert fixed == {"epochs": 3, "data.source": "../pictures", "data.size": None}
    assert space.axes == {"batch_size": Range(16, 64, True, True), "model.name": Choice(("cnn", "lenet"))}
    assert space.ranges == ["batch_size"]
    assert space.cells is None


def test_the_range_of_a_models_own_option_is_whole_where_it_is_written_so() -> None:
    _, space = parse_space(["options.width=1..4", "options.dropout=0.0..0.5"])
    assert space.axes == {"model.options.width": Range(1, 4, True), "model.options.dropout": Range(0.0, 0.5)}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lr="], "optimizer.lr: '' has an empty value"),
        (["lr=0.1,,0.2"], "has an empty value"),
        ([], "nothing to search"),
        (["epochs=3"], "nothing to search"),
        (["learning=0.1,0.2"], "unknown key 'learning'"),
        (["model=1..3"], "model.name: '1..3' is a range, but the key takes no numbers"),
        (["schedule=cosine..step"], "schedule.name: 'cosine..step' is a range, but the key takes no numbers"),
        (["optimizer=sgd..adam:log"], "optimizer.name: 'sgd..adam:log' is a range, but the key takes no numbers"),
        (["policy=0..1"], "augment.policy: '0..1' is a range"),
        (["nesterov=0..1"], "optimizer.nesterov: '0..1' is a range"),
        (["seed=1,2"], "--seeds N"),
        (["data=kmnist,fashion-mini"], "data.source: cannot vary"),
        (["limit_per_class=10..20"], "data.limit_per_class: cannot vary"),
        (["lr=a..b"], "optimizer.lr: 'a..b' is not a range"),
        (["lr=0.1..0.01"], "is empty"),
        (["lr=0..0.1:log"], "has no logarithm"),
        (["lr=0.1..0.2:lin"], "ends in :lin"),
        (["batch_size=1.5..4"], "has fractional ends"),
        (["lr=0.1,0.2", "optimizer.lr=0.3"], "optimizer.lr is given twice"),
        (["lr=0.1,0.1"], "names a value twice"),
        (["lr"], "'lr' is not key=value"),
        (["batch_size=" + ",".join(map(str, range(1, 102))), "epochs=" + ",".join(map(str, range(1, 102)))], "10,201"),
    ],
)
def test_words_that_cannot_be_searched_are_one_line(words: list[str], says: str) -> None:
    with pytest.raises((StudyError, RecipeError)) as caught:
        parse_space(words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["batch_size=0,32", "momentum=0.5..1.5", "model=cnn,lenet", "lr=-1..1"])
def test_a_value_that_does_not_fit_its_key_is_found_before_anything_is_trained(word: str) -> None:
    _, space = parse_space([word])
    if word.startswith("model"):
        check_fit(Recipe(), space)
        return
    with pytest.raises(RecipeError, match="input should be"):
        check_fit(Recipe(), space)


def test_a_trials_values_have_short_names() -> None:
    assert worded({"optimizer.lr": 0.1, "augment.flip": 0.25, "early_stop": None}) == "lr=0.1 flip=0.25 early_stop=null"


@given(st.integers(0, 99), st.integers(0, 999), st.integers(0, 999))
def test_a_time_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    total = 3600 * hours + 60 * minutes + seconds
    text = f"{hours}h{minutes}m{seconds}s"
    if total == 0:
        with pytest.raises(StudyError, match="shorter than one epoch"):
            parse_budget(text)
        return
    assert parse_budget(text) == Budget(seconds=total)


def test_epochs_and_no_budget() -> None:
    assert parse_budget("1epoch") == parse_budget("1 epochs") == Budget(epochs=1)
    assert parse_budget(None) == Budget()
    assert Budget(epochs=40).left(1.0, 15) == "25 epochs left"
    assert Budget(seconds=90).left(30.0, 15) == "1:00 min left"


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "0epochs", "0m", "2 weeks", "1e3s", "4.5epochs"])
def test_a_budget_that_is_none_is_one_line_that_says_what_would_be(text: str) -> None:
    with pytest.raises(StudyError, match="--budget"):
        parse_budget(text)


def test_a_budget_in_which_no_epoch_ends_is_refused() -> None:
    with pytest.raises(StudyError, match="shorter than one epoch, which takes about 20 s"):
        check_budget(parse_budget("10s"), 20.0)
    check_budget(parse_budget("30s"), 20.0)
    check_budget(parse_budget("1epoch"), 20.0)


def test_a_search_among_optimizers_gives_each_the_keys_that_it_reads() -> None:
    _, space = parse_space(["optimizer=sgd,adam", "momentum=0.5,0.8", "eps=1e-8,1e-6", "lr=0.01,0.1"])
    check_fit(Recipe(), space)
    plan = Plan("x", Recipe(), space, "grid")
    adam = plan.recipe_of({"optimizer.name": "adam", "optimizer.momentum": 0.5, "optimizer.eps": 1e-6})
    assert adam.optimizer.model_dump(include={"name", "eps"}) == {"name": "adam", "eps": 1e-6}
    # sgd reads no eps: what differs in it alone is the same training, and is trained once.
    first, second = (plan.recipe_of({"optimizer.name": "sgd", "optimizer.eps": eps}) for eps in (1e-8, 1e-6))
    assert first.hash == second.hash
    _, unread = parse_space(["optimizer=sgd,adam", "adamw_lr_factor=0.5,1"])
    with pytest.raises(RecipeError, match="adamw_lr_factor: sgd does not read it"):
        check_fit(Recipe(), unread)


def test_options_of_a_part_of_the_users_own_may_be_ranges() -> None:
    _, space = parse_space(["loss.options.gamma=0.5..4", "optimizer.options.steps=1..9"])
    assert space.axes == {
        "loss.options.gamma": Range(0.5, 4.0, False, False),
        "optimizer.options.steps": Range(1, 9, True, False),
    }
