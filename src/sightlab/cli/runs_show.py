"""Output of `sightlab runs show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sightlab.cli.output import out, table
from sightlab.records import Epoch, Score, duration, epoch_line
from sightlab.records.phrases import times
from sightlab.records.run import KEPT_LATER

Plain = Mapping[str, Any]
WIDTH = 14  # of the names at the left


def for_a_person(run: Plain) -> None:
    """Print everything on record of a run; missing facts are left out."""
    for name, text in facts(run):
        out(f"{name:<{WIDTH}}{text}".rstrip())
    changed = list(recipe_changes(run["settings"]))
    if changed:
        out("\nrecipe, where it differs from the defaults")
        for key, value in changed:
            out(f"  {key} = {value}")
    if run["history"]:
        out("\nepochs (all of them are in metrics.csv)")
        for one in shown_epochs(run):
            out(f"  {epoch_line(one, max(run['planned_epochs'] or 0, run['epochs']))}")
    if run["opened"]:
        out("\nlabelled data opened for this model")
        rows = [[moment(one["at"]), one["source"], which(run, one), one["reason"]] for one in run["opened"]]
        table(["  when (UTC)", "data", "split", "reason"], [["  " + row[0], *row[1:]] for row in rows])
    if run["notes"]:
        out("\nnotes")
        for note in run["notes"]:
            out(f"  {moment(note['at'])}  {note['text']}")


def facts(run: Plain) -> Iterator[tuple[str, str]]:
    """Names and texts, in the order in which they are printed."""
    reason = f": {run['reason']}" if run["reason"] else ""
    yield "run", run["run"]
    yield (
        "status",
        run["status"] + reason + (f"; in the bin since {moment(run['binned_at'])}" if run["binned_at"] else ""),
    )
    yield from scores(run)
    size = f", {run['parameters']:,} parameters" if run["parameters"] is not None else ""
    cost = f", {run['flops'] / 1e6:,.1f} MFLOP an image" if run["flops"] is not None else ""
    yield "model", f"{run['model']}{size}{cost}"
    seed = f", seed {run['seed']}" if run["seed"] is not None else ""
    yield "recipe", f"{run['recipe']}{seed}, hash {run['recipe_hash']}"
    yield "identity", run["identity"] or "not whole, so this run is never reused"
    if run["data"]:
        splits = [f"{run[f'{name}_images']:,} {name}" for name in SPLITS if run[f"{name}_images"] is not None]
        yield "data", f"{run['data']}: {', '.join(splits)} images, hash {(run['data_key'] or '')[:16]}"
    yield "time", ", ".join(time_facts(run))
    for analysis, figures in sorted((run["analyses"] or {}).items()):
        yield analysis, ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    yield from surroundings(run)
    for name in ("tags", "studies"):
        if run[name]:
            yield name, ", ".join(run[name])
    yield "folder", run["folder"] + "/"


SPLITS = ("train", "validation", "test")


def scores(run: Plain) -> Iterator[tuple[str, str]]:
    """Test with its interval and openings, then validation."""
    if run["test_accuracy"] is not None:
        top5 = f", top 5 {run['test_top5']:.2%}" if run["test_top5"] is not None else ""
        interval = (run["test_low"] or 0.0, run["test_high"] or 0.0)
        count, correct, loss = run["test_count"] or 0, run["test_correct"] or 0, run["test_loss"] or 0.0
        score = Score(run["test_accuracy"], loss, count, correct, interval)
        yield "test", f"{score}; loss {loss:.4f}{top5}; {opened(run)}"
    if run["test_flips"]:
        yield "with flips", f"{Score.from_json(run['test_flips'])}; {opened(run)}"
    if run["validation_accuracy"] is not None:
        planned = f", {run['planned_epochs']} planned" if run["planned_epochs"] not in (None, run["epochs"]) else ""
        loss = f", loss {run['validation_loss']:.4f}" if run["validation_loss"] is not None else ""
        at = f"at epoch {run['best_epoch']} of {run['epochs']}{planned}"
        yield "validation", f"{run['validation_accuracy']:.2%}{loss}, {at}"


def opened(run: Plain) -> str:
    """How often the test split has been opened for the run; printed with every score.

    >>> opened({"openings": 1}), opened({"openings": 3})
    ('opened once', 'opened 3 times')
    """
    return f"opened {times(run['openings'])}"


def time_facts(run: Plain) -> Iterator[str]:
    """How long, how fast, from when to when."""
    yield duration(run["seconds"] or 0)
    if run["images_per_second"]:
        yield f"{run['images_per_second']:,.0f} images/s"
    for name in ("started", "ended"):
        if run[name]:
            yield f"{name} {moment(run[name])} UTC"
    if run["heartbeat"] and not run["ended"]:
        yield f"last heard of {moment(run['heartbeat'])} UTC"


def surroundings(run: Plain) -> Iterator[tuple[str, str]]:
    """Machine, software, and the user's own code."""
    machine = dict(run["machine"])
    words = [machine.pop(name, None) for name in ("device", "gpu", "cpu", "system")]
    counts = [f"{name} {machine.pop(name)}" for name in ("cores", "threads", "processes") if name in machine]
    host = [run["host"]] if run["host"] else []
    if any(words) or host:
        yield "machine", ", ".join([*host, *(str(word) for word in words if word), *counts])
    if machine:
        yield "software", ", ".join(f"{name} {value}" for name, value in machine.items() if value is not None)
    if run["git_revision"]:
        yield "git", run["git_revision"] + (", with changes" if run["git_dirty"] else "")


def recipe_changes(settings: Plain) -> Iterator[tuple[str, Any]]:
    """The keys of a run's recipe that are not at their defaults: (dotted path, value). Name and notes are left out."""
    from sightlab.recipes.loader import validated
    from sightlab.recipes.overrides import changed_keys
    from sightlab.recipes.renamed import with_new_keys
    from sightlab.recipes.schema import Recipe

    recipe = validated(with_new_keys(settings, "recipe"), "recipe", stored=True)
    for key, (_, value) in changed_keys(Recipe(), recipe).items():
        if key not in ("name", "notes", "format", "seed"):
            yield key, list(value) if isinstance(value, tuple) else value


def shown_epochs(run: Plain) -> list[Epoch]:
    """The first epoch, the best one and the last one."""
    history = [one for one in run["history"] if None not in (v for k, v in one.items() if k not in KEPT_LATER)]
    chosen = [one for n, one in enumerate(history) if n in (0, len(history) - 1) or one["epoch"] == run["best_epoch"]]
    return [Epoch.from_json({k: v for k, v in one.items() if v is not None}) for one in chosen]


def which(run: Plain, opening: Plain) -> str:
    """Whether the run's own test split was opened, or data of the user's own."""
    return "its test split" if opening["split"] == run["test_key"] else "other data"


def moment(text: str | None) -> str:
    """A time to the minute.

    >>> moment("2026-01-31T18:05:09+00:00")
    '2026-01-31 18:05'
    """
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M") if text else "-"
