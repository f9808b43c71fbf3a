"""The command `tunewright`."""

import gc
import sys

import click

from .lazy import LazyGroup

COMMANDS = {
    "run": ("run:run", "Tune: run the trials of a file or a command to the end."),
    "init": ("init:init", "Ask a few questions, then write an Experiment."),
    "try": ("attempt:attempt", "Run one trial that does not count, and report its metrics."),
    "render": ("render:render", "Show the command and environment of a trial."),
    "validate": ("validate:validate", "Check files, and report everything that is wrong."),
    "get": ("get:get", "List experiments."),
    "describe": ("describe:describe", "Show all details of an experiment or trial."),
    "explain": ("explain:explain", "Say why an experiment is in its state."),
    "best": ("best:best", "Show the best trial and its command."),
    "trials": ("trials:trials", "List trials; stop, retry, drop or add them."),
    "logs": ("logs:logs", "Show the output of a trial."),
    "metrics": ("metrics:metrics", "Show the metrics of trials."),
    "ui": ("ui:ui", "Serve a page that shows experiments live."),
    "watch": ("watch:watch", "Follow an experiment while it runs."),
    "wait": ("wait:wait", "Wait until an experiment ends; the exit code says how."),
    "pause": ("pause:pause", "Start no more trials for now."),
    "resume": ("resume:resume", "Resume a paused or interrupted experiment."),
    "stop": ("stop:stop", "End an experiment, and keep its results."),
    "edit": ("edit:edit", "Change the budget of an experiment."),
    "delete": ("delete:delete", "Remove an experiment and everything it recorded."),
    "export": ("export:export", "Write all trials as CSV, JSON or Parquet."),
    "prune": ("prune:prune", "Remove the directories of finished trials."),
    "algorithms": ("algorithms:algorithms", "List the search algorithms and their settings."),
    "suggest": ("suggest:suggest", "Ask an algorithm what it would try next."),
    "plugin": ("plugin:plugin", "Write, test and measure an algorithm of your own."),
    "operator": ("operator:operator", "Run the Experiments of a cluster."),
    "serve": ("serve:serve", "Serve algorithms, metrics, or the page of a cluster."),
    "collector": ("collector:collector", "Collect the metrics of a trial in its pod."),
    "migrate": ("migrate:migrate", "Take over a cluster from Katib, or give it back."),
    "db": ("db:db", "Upgrade the store, or import into it."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
@click.version_option(package_name="tunewright")
def cli() -> None:
    """Tune the hyperparameters of any training command.

    \b
    Examples:
      tunewright run experiment.yaml
      tunewright run --param lr=log:1e-5..1e-1 --minimize loss --trials 50 \\
          -- python train.py --lr {lr}
      tunewright best digits
    """


def main() -> None:
    """Run the command line, and turn every error into its message and exit code."""
    # Modules are large and hold no garbage: to look for it tenths of a second would be spent.
    gc.set_threshold(20_000, 20, 20)
    from .exits import guarded

    sys.exit(guarded(cli))
