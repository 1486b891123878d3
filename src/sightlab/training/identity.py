"""The identity of a training: computed from its recipe, its data and its parts before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from importlib.util import find_spec
from typing import Any

from sightlab.data.content_hash import contents_of
from sightlab.data.splits import Splits
from sightlab.errors import RunError
from sightlab.parts import fingerprint as prints
from sightlab.parts import registry
from sightlab.parts.user_code import code_reference
from sightlab.recipes.schema import Model, Recipe
from sightlab.records.identity import START, Identity, what_differs

FILE_MODULE = "sightlab_user_code_"  # how modules that were run from a user's file begin; the file's sha256 follows


def identity_of(
    recipe: Recipe,
    splits: Splits,
    parts: Mapping[str, object | None],
    processes: int,
    teacher_sha256: str | None = None,
) -> Identity:
    """The identity of a training that has not begun.

    parts: {slot: object given from Python}, None where the recipe's own is used; of the slots `callback` and `metric` a
    sequence of objects. Metrics that select no epoch, and callbacks that change nothing, do not count. A network must
    not have been trained yet. processes: how many share each batch.
    teacher_sha256: of the weights of the teacher that is learnt from. Raises RunError for a file that cannot be read.
    """
    return identity_on(contents_of(splits), recipe, parts, processes, teacher_sha256)


def identity_on(
    data: Mapping[str, str],
    recipe: Recipe,
    parts: Mapping[str, object | None],
    processes: int,
    teacher_sha256: str | None = None,
) -> Identity:
    """As `identity_of`, on data of which `contents_of` has been asked before."""
    own_model = parts.get("model")
    given = {slot: one for slot, one in parts.items() if slot != "model" and one is not None}
    deciding = [one for one in listed(given.pop("metric", ())) if called(one) == recipe.select_by]
    names = named_parts(recipe) if not deciding else {**named_parts(recipe), "metric": "accuracy"}
    found = {slot: (named_part(slot, name), True) for slot, name in names.items()}
    if own_model is not None:
        found |= own_network(own_model)
    elif recipe.model.weights:
        found["weights"] = f"sha256:{prints.content_sha256(recipe.model.weights)[:32]}", True
    if deciding:
        found["metric"] = prints.fingerprint(deciding[0])
    callbacks = [one for one in listed(given.pop("callback", ())) if getattr(one, "changes_training", True)]
    found |= {f"callback {number}": prints.fingerprint(one) for number, one in enumerate(callbacks, 1)}
    found |= {slot: prints.fingerprint(one) for slot, one in given.items()}
    if teacher_sha256 is not None:
        found["teacher"] = f"sha256:{teacher_sha256[:32]}", True
    return Identity(
        recipe=plain_hash(recipe, own_model=own_model is not None),
        seed=recipe.seed,
        data=dict(data),
        parts={slot: text for slot, (text, _) in found.items()},
        processes=processes,
        whole=all(whole for _, whole in found.values()),
    )


def listed(given: object) -> Sequence[object]:
    """One object, or several."""
    return given if isinstance(given, Sequence) else (given,)


def called(metric: Any) -> str:
    """What a metric given from Python is called, by which a recipe may select the best epoch."""
    return str(getattr(metric, "name", None) or getattr(metric, "__name__", None) or type(metric).__name__)


def own_network(model: Any) -> dict[str, tuple[str, bool]]:
    """A network given from Python: what it is, what of it is not trained, and the weights it starts from.

    Weights that have been trained before are as good as a file of weights: seeds of one training share them. Others are
    taken to be drawn anew for each seed.
    """
    found = {"model": prints.fingerprint(model, values=False)}
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    if frozen:
        found["frozen"] = ", ".join(frozen), True
    found["weights" if prints.has_been_trained(model) else START] = prints.weights_fingerprint(model)
    return found


def named_parts(recipe: Recipe) -> dict[str, str]:
    """The parts that a recipe names, {slot: name}; loggers are none, and neither are metrics that decide nothing."""
    found = {
        "model": recipe.model.name,
        "loss": recipe.loss.name,
        "optimizer": recipe.optimizer.name,
        "schedule": recipe.schedule.name,
        "metric": recipe.select_by,
    }
    if recipe.augment.custom is not None:
        found["augment"] = recipe.augment.custom
    names = [name for name in recipe.callbacks if name not in registry.SHIPPED["callback"]]
    return found | {f"callback of the recipe {number}": name for number, name in enumerate(names, 1)}


def named_part(slot: str, name: str) -> str:
    """What a part is that a recipe names: the content of a user's file, else its name and its version.

    Raises RunError for a file that cannot be read, RecipeError for a name that nothing is registered under.

    >>> named_part("loss", "cross-entropy")
    'loss:cross-entropy@1'
    """
    reference = code_reference(name)
    if reference is not None:
        return prints.file_fingerprint(*reference)
    kind = slot.partition(" ")[0]
    version = timm_version() if name.startswith("timm/") else registry.version(kind, name)
    if registry.is_shipped(kind, name):
        return f"{kind}:{name}@{version}"
    # A package that is installed for development changes without another version.
    spec = find_spec(registry.installed(kind)[name].module)
    source = prints.content_sha256(spec.origin)[:32] if spec and spec.origin else "unknown"
    return f"{kind}:{name}@{version} sha256:{source}"


def timm_version() -> str:
    """The version of timm, whose networks are named timm/NAME."""
    try:
        return f"timm {package_version('timm')}"
    except PackageNotFoundError:
        return "timm"


def plain_hash(recipe: Recipe, *, own_model: bool) -> str:
    """The hash of what a recipe says beside its seed, its data, and what has a fingerprint.

    Metrics that are only recorded decide nothing. own_model: a network given from Python stands for the recipe's, of
    whose keys only `freeze` is read then.
    """
    values: dict[str, Any] = {"metrics": ()}
    if own_model:
        values["model"] = Model(freeze=recipe.model.freeze)
    return recipe.model_copy(update=values).training_hash


def check_resumable(kept: Identity | None, now: Identity) -> None:
    """Raise RunError, one line that names what differs, unless a run may be resumed as it is given now.

    kept: of the run, None for a run from before identities were kept. The weights that a network starts from do not
    count, as those of the checkpoint take their place.
    """
    if kept is None:
        return
    differing = [name for name in kept.differing(now) if name != START]
    if not differing:
        return
    words = list(dict.fromkeys(what_differs(name) for name in differing))
    then, here = (one.value_of(differing[0]) for one in (kept, now))
    raise RunError(
        f"{', '.join(words)}: not what the run was started with ({then} then, {here} now); resume it with what it was "
        "started with, or start a new run"
    )


def check_network(kept: Identity | None, model: object) -> None:
    """Raise RunError unless a network given from Python is built as the one that a run was trained with.

    kept: of the run; None, or one whose network is sightlab's own, has nothing to check.
    """
    then = kept.parts.get("model", "") if kept else ""
    module = type(model).__module__
    if then.startswith("file:"):
        if not module.startswith(FILE_MODULE):
            return  # a function in the file may give a network of any class
        here = f"{then.partition(' ')[0]} sha256:{module.removeprefix(FILE_MODULE)[:32]}"
    elif "sha256:" in then and "@" not in then:
        here, _ = prints.fingerprint(model, values=False)
    else:
        return
    if here != then:
        raise RunError(
            f"network: its code, options or attributes are not those that the run was trained with ({then} then, "
            f"{here} now); build it anew from the code of then, or train again"
        )
