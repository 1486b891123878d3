"""The command `sightlab`: its groups, and what becomes of an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from sightlab.cli import (
    analyze,
    check,
    compare,
    data,
    diff,
    explain,
    lr,
    predict,
    recipes,
    report,
    runs,
    structure,
    study,
    test,
    train,
    tune,
)
from sightlab.cli.hints import with_options
from sightlab.cli.output import say
from sightlab.cli.stdio import printable
from sightlab.errors import SightlabError, one_line
from sightlab.recipes.renamed import hints
from sightlab.version import __version__

app = typer.Typer(
    name="sightlab",
    help="Train, compare, test and ship image classifiers; every score carries its uncertainty.",
    epilog="First steps: sightlab train    sightlab data show fashion-mini    sightlab recipes",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("test", epilog=test.EXAMPLES)(test.test)
app.command("tune", epilog=tune.EXAMPLES)(tune.tune)
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.add_typer(runs.app, name="runs")
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("diff", epilog=diff.EXAMPLES)(diff.diff)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("lr", epilog=lr.EXAMPLES)(lr.lr)
app.command("recipes", epilog=recipes.RECIPE_EXAMPLES)(recipes.recipes)
app.command("models", epilog=recipes.MODEL_EXAMPLES)(recipes.models)
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("analyze", epilog=analyze.EXAMPLES)(analyze.analyze)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("structure", epilog=structure.EXAMPLES)(structure.structure)
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")

# Typer stands on a click of its own in newer versions; its errors have the same base in all of them.
UsageError: type[Any] = typer.BadParameter.__mro__[1]
USER_ERROR, STOPPED = 2, 130
# Options of the release before, which work for one more: (command, old name) -> new name.
RENAMED_OPTIONS = {("study", "--workers"): "--jobs", ("tune", "--workers"): "--jobs"}


@app.callback(invoke_without_command=True)
def top(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Train, compare, test and ship image classifiers; every score carries its uncertainty."""
    if version:
        print(__version__)  # noqa: T201
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Gives the exit status: 0, 2 for an error of the user's, 130 when stopped by Ctrl-C."""
    words = with_new_options(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(words, prog_name="sightlab", standalone_mode=False)
        sys.stdout.flush()
    except SightlabError as error:
        return complain(with_options(str(error), command_of(words)))
    except UsageError as error:
        context = getattr(error, "ctx", None)
        asked = context.command_path if context else "sightlab"
        return complain(f"{error.format_message().rstrip('.')}; see {asked} --help")
    except (KeyboardInterrupt, typer.Abort):
        print("sightlab: stopped", file=sys.stderr)  # noqa: T201
        return STOPPED
    except BrokenPipeError:
        # Whoever read the output has closed it (`| head`): nothing is wrong, and nothing can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status if isinstance(status, int) else 0


def with_new_options(arguments: Sequence[str]) -> list[str]:
    """The arguments with each option's new name. The user is told of it, and of new names of recipe keys.

    >>> with_new_options(["recipes", "--json"])
    ['recipes', '--json']
    """
    command = command_of(arguments)
    words = []
    for word in arguments:
        option, equals, value = word.partition("=")
        new = RENAMED_OPTIONS.get((command, option))
        if new is not None:
            say(f"{option} is now {new}; the old name works until the next release")
        for hint in hints([option] if equals else []):
            say(hint)
        words.append(word if new is None else f"{new}{equals}{value}")
    return words


def command_of(arguments: Sequence[str]) -> str:
    """The first word that is no option; "" where there is none."""
    return next((word for word in arguments if not word.startswith("-")), "")


def complain(error: object) -> int:
    """One line on stderr; the exit status that goes with it."""
    print(f"sightlab: {printable(one_line(error))}", file=sys.stderr)  # noqa: T201
    return USER_ERROR
