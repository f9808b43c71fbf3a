"""`tunewright run`: from a file or from options to the end of an experiment."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..api.errors import Fault, Invalid
from ..sdk.sources.here import Here
from ..sdk.sources.place import Place
from ..sdk.sources.where import Where
from . import console
from .drive import Setting
from .options import where_options
from .run_options import Machine, machine_options, pairs, with_files


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What was named for `spec.<key>`, and where plug-ins serve what by name."""

    key: str
    name: str | None
    addresses: Mapping[str, str]

    @classmethod
    def of(cls, words: Sequence[str], option: str, key: str) -> "_Chosen":
        names = [text for text in words if "=" not in text]
        if len(names) > 1:
            raise Invalid([Fault(option, f"{', '.join(names)} are several", "name one")])
        served = [text for text in words if "=" in text]
        addresses = pairs(served, option, "mine=localhost:6789")
        return cls(key, names[0] if names else next(iter(addresses), None), addresses)

    def put(self, document: dict[str, Any]) -> dict[str, Any]:
        """Say it in an Experiment."""
        said = dict(document["spec"].get(self.key) or {})
        if self.name is not None:
            said["algorithmName"] = self.name
        address = self.addresses.get(said.get("algorithmName", ""))
        if address is not None:
            said["endpoint"] = address
        return {**document, "spec": {**document["spec"], self.key: said}} if said else document


class _Run(click.Command):
    """Explains an unknown option that was meant for the command to be tuned."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if "--" in typed or not any(word.startswith("--param") for word in typed):
                raise
            remedy = (
                "What belongs to the command stands behind --, as in -- python train.py --lr {lr}"
            )
            raise click.UsageError(f"{error.format_message()} {remedy}", ctx) from error


@click.command(cls=_Run, context_settings={"ignore_unknown_options": False})
@click.argument("words", nargs=-1, metavar="FILE... | [-- COMMAND...]")
@click.option(
    "--param", "params", multiple=True, metavar="NAME=SPACE", help="A parameter to search."
)
@click.option("--minimize", metavar="METRIC", help="The objective.")
@click.option("--maximize", metavar="METRIC", help="The objective.")
@click.option("--metric", "metrics", multiple=True, help="A further metric to keep.")
@click.option("--goal", type=float, help="Stop when the objective is as good.")
@click.option("--trials", type=int, help="How many trials.")
@click.option("--parallel", type=int, help="How many at once.")
@click.option("--max-failed", type=int, help="How many may fail.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    metavar="NAME|NAME=ADDRESS",
    help="The algorithm, or where a plug-in serves it.",
)
@click.option(
    "--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the algorithm."
)
@click.option(
    "--early-stopping",
    "rules",
    multiple=True,
    metavar="RULE|RULE=ADDRESS",
    help="Stop hopeless trials early: medianstop, percentile, asha, plateau, threshold, or where a"
    " plug-in serves the rule.",
)
@click.option("--seed", type=int, help="The same seed gives the same points.")
@click.option("--name", help="The experiment's name.")
@click.option("--image", help="What trials of a COMMAND run in, on a cluster.")
@click.option("--print", "print_only", is_flag=True, help="Print the Experiment of the options.")
@click.option(
    "--dry-run", is_flag=True, help="Print the commands of the first trials, run nothing."
)
@click.option("-d", "--detach", is_flag=True, help="Leave it running in the background.")
@click.option("--again", is_flag=True, help="Start anew beside one of the same name.")
@click.option("--ui", "shows", is_flag=True, help="Serve the page while it runs.")
@machine_options
@where_options
def run(
    words: tuple[str, ...],
    print_only: bool,
    dry_run: bool,
    detach: bool,
    again: bool,
    shows: bool,
    where: Where,
    **given: Any,
) -> int:
    """Tune: run the trials of a FILE, or of a COMMAND with options, to the end.

    In a terminal it shows what happens; Ctrl-C ends running trials in order,
    and `tunewright resume` goes on. The same file again attaches to what runs,
    resumes what was interrupted, or shows the result.

    \b
    A parameter's SPACE:
      lr=log:1e-5..1e-1    n=int:1..10       opt=adam,sgd
      drop=0.0..0.5        drop=0.0..0.5/0.1    w=int:log:8..512

    \b
    Examples:
      tunewright run experiment.yaml
      tunewright run experiment.yaml secrets.yaml --detach
      envsubst < template.yaml | tunewright run -
      tunewright run --param lr=log:1e-5..1e-1 --param opt=adam,sgd \\
          --minimize loss --trials 50 -- python train.py --lr {lr} --opt {opt}
      tunewright run --param x=0.0..1.0 --minimize loss --print -- ./train {x} > experiment.yaml
      tunewright run experiment.yaml --cluster --context production
    """
    machine = Machine(
        **{
            key: given.pop(key)
            for key in ("workdir", "runtime", "env_file", "mounts", "trials_per_gpu", "fsync")
        }
    )
    algorithm = _Chosen.of(given.pop("algorithms"), "--algorithm", "algorithm")
    rule = _Chosen.of(given.pop("rules"), "--early-stopping", "earlyStopping")
    if given["params"]:
        raw = _put(_written(words, given, where, algorithm, rule), algorithm, rule)
        documents, others = [_checked(raw)], ()
        if print_only:
            click.echo(console.as_yaml(raw), nl=False)  # without what defaults say
            return 0
    else:
        _refuse_stray(given, print_only, words)
        documents, others = _loaded(words, given, algorithm, rule, elsewhere=where.is_cluster)
    if shows and (detach or dry_run):
        remedy = "leave it out; `tunewright ui` serves the page at any time"
        raise Invalid([Fault("--ui", "it is for a run that is followed here", remedy)])
    with _page(where) if shows else nullcontext():
        if where.is_cluster:
            from .apply import run_there

            machine.refuse_elsewhere()
            return run_there(documents, others, where, dry_run=dry_run, detach=detach, again=again)
        return _go(
            documents,
            others,
            machine,
            where.place,
            where.namespace,
            dry_run=dry_run,
            detach=detach,
            again=again,
            files=words,
        )


def _written(
    words: tuple[str, ...], given: dict[str, Any], where: Where, algorithm: _Chosen, rule: _Chosen
) -> dict[str, Any]:
    """Return the Experiment that a command and its options tell."""
    from ..sdk.flags import Wanted, document

    if where.is_cluster and given["image"] is None:
        remedy = "name the image that holds the command"
        raise Invalid([Fault("--image", "a cluster runs trials in images", remedy)])
    return document(
        Wanted(
            command=words,
            namespace=where.namespace,
            algorithm=algorithm.name,
            early_stopping=rule.name,
            **given,
        )
    )


@contextmanager
def _page(where: Where) -> Iterator[None]:
    from .page import beside

    with beside(where) as said:
        console.note(said)
        yield


def _refuse_stray(given: dict[str, Any], print_only: bool, words: Sequence[str]) -> None:
    """Refuse options that say something only about a command without a file."""
    from ..sdk.flags import fields

    only = ("minimize", "maximize", "metrics", "settings", "image")
    stray = [f"--{key.rstrip('s').replace('_', '-')}" for key in only if given[key]]
    stray += ["--print"] if print_only else []
    field = next((name for word in words for name in fields(word)), None)
    if field is not None:
        remedy = f"give --param {field}=SPACE for what stands in {{{field}}}"
        raise Invalid([Fault("--param", "a COMMAND has parameters", remedy)])
    if stray:
        remedy = "give --param NAME=SPACE too, or write it in the file"
        raise Invalid([Fault(option, "it needs --param", remedy) for option in stray])
    if not words:
        remedy = "name an Experiment file, or give --param …; see tunewright run --help"
        raise Invalid([Fault("FILE", "there is nothing to run", remedy)])


def _put(raw: dict[str, Any], *chosen: _Chosen) -> dict[str, Any]:
    for choice in chosen:
        raw = choice.put(raw)
    return raw


def _checked(raw: dict[str, Any]) -> dict[str, Any]:
    from ..api.documents import parse

    return parse(raw).write()


def _loaded(
    words: Sequence[str], given: dict[str, Any], *chosen: _Chosen, elsewhere: bool
) -> tuple[list[dict[str, Any]], tuple[Any, ...]]:
    """Read the files, with what options say over them."""
    from ..api.documents import load

    bundle = load([Path(word) for word in words], elsewhere=elsewhere)
    changes = {
        "maxTrialCount": given["trials"],
        "parallelTrialCount": given["parallel"],
        "maxFailedTrialCount": given["max_failed"],
        "seed": given["seed"],
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    found = []
    for experiment in bundle.experiments:
        document = experiment.write()
        spec = {**document["spec"], **changes}
        if given["goal"] is not None:
            spec["objective"] = {**spec["objective"], "goal": given["goal"]}
        metadata = dict(document.get("metadata") or {})
        if given["name"] is not None:
            metadata["name"] = given["name"]
        changed = {**document, "metadata": metadata, "spec": spec}
        found.append(_checked(_put(changed, *chosen)))
    return found, bundle.others


def _go(
    documents: list[dict[str, Any]],
    others: Sequence[Any],
    machine: Machine,
    place: Place,
    namespace: str | None,
    *,
    dry_run: bool,
    detach: bool,
    again: bool,
    files: Sequence[str],
) -> int:
    """Run the experiments one after the other; the worst exit code is returned."""
    from ..api.asked import is_asked
    from ..suggestion.check import check_algorithm
    from . import compose
    from .plugins import check_plugins

    code = 0
    for document in documents:
        if is_asked(document):
            check_algorithm(document)
            if not dry_run:
                _keep(document, machine, place, namespace, again=again)
            continue
        options = compose.local_options(machine, others)
        check_algorithm(document)
        if not dry_run:
            check_plugins(document)
        program = compose.check_machine(document, options, machine.directory)
        if dry_run:
            from .preview import show_commands

            show_commands(document)
            continue
        with_them = with_files([Path(file) for file in files]) if others and detach else []
        one = _one(
            document,
            Setting(options, fsync=machine.fsync, program=program),
            machine,
            place,
            namespace,
            detached=[*machine.arguments(), *with_them] if detach else None,
            again=again,
        )
        if one == 130:
            return one
        code = max(code, one)
    return code


def _keep(
    document: dict[str, Any],
    machine: Machine,
    place: Place,
    namespace: str | None,
    *,
    again: bool,
) -> None:
    """Write down an experiment whose trials people run: there is nothing to drive."""
    from ..sdk.submit import Found, submit

    with place.opened(fsync=machine.fsync) as store:
        found = submit(store, document, namespace=namespace, workdir=machine.directory, again=again)
    name = found.record.key.name
    there = "is created" if found.found is Found.NEW else "is there already"
    console.note(f"{name} {there}; its points are asked for: Client().ask({name!r})")


def _one(
    document: dict[str, Any],
    setting: Setting,
    machine: Machine,
    place: Place,
    namespace: str | None,
    *,
    detached: Sequence[str] | None,
    again: bool,
) -> int:
    from ..sdk.submit import Found, submit
    from . import summary
    from .drive import detach_engine, drive

    with place.opened(fsync=machine.fsync) as store:
        submitted = submit(
            store, document, namespace=namespace, workdir=machine.directory, again=again
        )
        record = submitted.record
        if submitted.found is Found.FINISHED:
            summary.show(Here(place, store), record)
            name = record.key.name
            console.note(
                f"It had ended before. `tunewright run --again` starts anew; "
                f"`tunewright edit {name} --trials N`, then `tunewright resume {name}`, goes on."
            )
            return 0 if record.state == "Succeeded" else 1
        if place.is_driven(record.uid):
            console.note(f"{record.key.name} runs already.")
            if detached is not None:
                return 0
            from .watch import attach

            return attach(Here(place, store), record)
    if submitted.found is Found.UNFINISHED:
        console.note(f"Resuming {record.key.name} at trial {record.totals.proposed}.")
    if detached is not None:
        return detach_engine(place, record, detached)
    return drive(place, record, setting)
