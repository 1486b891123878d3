"""Bundles: a trained model in a folder of safetensors and JSON. Nothing in it is ever unpickled or run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sightlab.errors import RunError, one_line
from sightlab.files import sha256_of, write_bytes, write_text
from sightlab.store.run_folder import identity_in
from sightlab.version import __version__

if TYPE_CHECKING:
    from torch import nn

    from sightlab.models.classifier import Classifier

FORMAT = 1
WEIGHTS = "weights.safetensors"
SEEN = "seen.safetensors"
OPENINGS = "openings.jsonl"
Side = Annotated[int, Field(ge=1, le=100_000)]


class Metadata(BaseModel):
    """The content of bundle.json.

    model, stem, options: what `models.build` takes. height, width, channels: of the images the model takes.
    mean, std: a channel each, of pixel values in [0, 1]. data_key: the content of the training data as a hash.
    bit_depth: bits that its pictures of 16 bits were taken to use, None where it had none.
    weights_sha256: of weights.safetensors. scores: of the validation and the test split. identity: of the training,
    None in bundles of before it was kept.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    format: int = FORMAT
    sightlab: str = __version__
    model: str
    stem: str = "auto"
    options: dict[str, Any] = {}
    parameters: int
    classes: tuple[str, ...] = Field(min_length=2)
    height: Side
    width: Side
    channels: Annotated[int, Field(ge=1, le=64)]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    recipe: dict[str, Any]
    recipe_hash: str
    data: str
    data_key: str
    bit_depth: int | None = None
    scores: dict[str, Any]
    weights_sha256: str
    identity: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _a_mean_a_channel(self) -> Metadata:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std are {len(self.mean)} and {len(self.std)} long, channels {self.channels}")
        return self


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, its facts read and checked, its weights not yet.

    >>> import sightlab, tempfile
    >>> from sightlab.store.bundle import open_model, read_bundle
    >>> tiny = sightlab.recipe("cnn", model="lenet", limit_per_class=20, epochs=1, report=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bundle = read_bundle(sightlab.train(tiny, home=folder).folder)
    ...     model = open_model(bundle)
    >>> bundle.facts.model, len(bundle.facts.classes), type(model).__name__
    ('lenet', 10, 'Classifier')
    """

    folder: Path
    facts: Metadata

    @property
    def run_folder(self) -> Path | None:
        """The folder of the run that it lies in; None for a bundle alone."""
        return self.folder.parent if (self.folder.parent / "run.json").is_file() else None

    @property
    def name(self) -> str:
        """The run's id; of a bundle that was copied its folder's name."""
        return self.folder.parent.name if self.folder.name == "bundle" else self.folder.name

    def _repr_html_(self) -> str:
        import html

        facts = self.facts
        score = (facts.scores.get("test") or {}).get("accuracy")
        tested = f", test accuracy {score:.2%}" if score is not None else ""
        shape = f"{facts.height} x {facts.width} x {facts.channels}"
        return f"<p><b>{html.escape(facts.model)}</b>: {len(facts.classes)} classes, {shape} images{tested}</p>"


def save_bundle(
    folder: Path, facts: Mapping[str, Any], net: nn.Module, seen: NDArray[np.uint64], sealed: NDArray[np.uint64]
) -> Bundle:
    """Write a bundle: weights, fingerprints of images, and last bundle.json.

    facts: those of `Metadata` but for weights_sha256. seen: fingerprints of the images it was trained and selected on;
    sealed: of its test split. Raises OSError as writing does.
    """
    from safetensors.numpy import save as serialised_arrays
    from safetensors.torch import save as serialised

    weights = {key: value.detach().cpu().contiguous().clone() for key, value in net.state_dict().items()}
    digest = write_bytes(folder / WEIGHTS, serialised(weights))
    write_bytes(folder / SEEN, serialised_arrays({"fingerprints": seen, "sealed": sealed}))
    checked = Metadata.model_validate({**facts, "weights_sha256": digest})
    write_text(folder / "bundle.json", json.dumps(checked.model_dump(mode="json"), indent=1, ensure_ascii=False))
    return Bundle(folder, checked)


def read_bundle(path: Path) -> Bundle:
    """The bundle in a folder, or in the folder of a run. Raises RunError where there is none, or not a whole one."""
    folder = path if (path / "bundle.json").is_file() else path / "bundle"
    file = folder / "bundle.json"
    if not file.is_file():
        unfinished = (path / "run.json").is_file()
        help_ = f"finish it with `sightlab train --resume {path.name}`" if unfinished else "expected bundle.json there"
        raise RunError(f"{path}: holds no bundle; {help_}")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
            raise RunError(
                f"{file}: format {values['format']} is from a newer sightlab, this one reads {FORMAT}; upgrade"
            )
        return Bundle(folder, Metadata.model_validate(values))
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "facts that do not fit together"
        raise RunError(f"{file}: damaged: {key}: {one_line(first['msg'])}") from error
    except ValueError as error:
        raise RunError(f"{file}: damaged: {one_line(error)}") from error


def open_model(bundle: Bundle, model: nn.Module | None = None) -> Classifier:
    """The bundle's classifier in eval mode, on the CPU, with its weights.

    model: the network to load the weights into, for bundles whose model is the user's own code: a bundle names such
    code but never runs it. Raises RunError: weights cut short, changed, or not of this architecture; code that is not
    what the network was trained with.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from sightlab.models import build
    from sightlab.models.classifier import Classifier
    from sightlab.training.identity import check_network

    facts = bundle.facts
    path = bundle.folder / WEIGHTS
    try:
        if sha256_of(path) != facts.weights_sha256:
            raise RunError(f"{path}: cut short or changed: its sha256 is not the one in bundle.json; copy it again")
        weights = load_file(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or one_line(error)}") from error
    except SafetensorError as error:
        raise RunError(f"{path}: damaged: {one_line(error)}") from error
    if model is None:
        if is_own_code(facts.model):
            raise RunError(
                f"{bundle.folder}: its model is code of your own, {facts.model}, which a bundle does not run; "
                "name the code you trust with --model FILE.py:NAME, or model= in Python"
            )
        model = build(
            facts.model,
            channels=facts.channels,
            classes=len(facts.classes),
            height=facts.height,
            width=facts.width,
            stem=facts.stem,
            options=facts.options,
        )
    else:
        check_network(identity_in({"identity": facts.identity}), model)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = one_line(str(error).split("\n", 2)[1] if "\n" in str(error) else error)
        raise RunError(f"{path}: does not fit {facts.model}: {first}") from error
    return Classifier(model, facts.mean, facts.std).eval()


def own_network(bundle: Bundle, code: str, say: Callable[[str], None] = lambda _: None) -> nn.Module:
    """The user's own network for a bundle, built from the code that they name, FILE.py:NAME. Raises ModelError."""
    from sightlab.models import build

    facts = bundle.facts
    return build(
        code,
        channels=facts.channels,
        height=facts.height,
        width=facts.width,
        classes=len(facts.classes),
        options=facts.options,
        say=say,
    )


def is_own_code(model: str) -> bool:
    """Whether a bundle's model is the user's own code: in a file, or a module given from Python."""
    return ".py:" in model or model.startswith("module ")


def seen_images(bundle: Bundle) -> NDArray[np.uint64]:
    """Fingerprints of the images the model was trained and selected on; none where the file is missing or damaged."""
    return fingerprints_in(bundle, "fingerprints")


def sealed_images(bundle: Bundle) -> NDArray[np.uint64]:
    """Fingerprints of the run's own test split; none where the file is missing, damaged or does not have them."""
    return fingerprints_in(bundle, "sealed")


def fingerprints_in(bundle: Bundle, kind: str) -> NDArray[np.uint64]:
    """One kind of fingerprints that a bundle keeps. uint64 [N]."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(bundle.folder / SEEN)[kind].astype(np.uint64)
    except (OSError, KeyError, SafetensorError):
        return np.empty(0, np.uint64)


def record_opening(bundle: Bundle, split_key: str, source: str, reason: str) -> int:
    """Record that a labelled split was opened for this model. Returns how often it has been, this one included.

    The record is kept in the bundle's folder; if that cannot be written (a read-only folder), the count still includes
    what is recorded.
    """
    path = bundle.folder / OPENINGS
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "split": split_key,
        "source": source,
        "reason": reason,
    }
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
    except OSError:
        pass
    return 1 + sum(split_key in line for line in lines)
