"""`tunewright plugin bench`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from . import console
from .plugin import is_address

if TYPE_CHECKING:
    from ..suggestion.plugin.bench import Contender, Result
    from ..suggestion.plugin.problems import Challenge


@click.command()
@click.argument("name", metavar="NAME | ADDRESS")
@click.option("--algorithm", help="The name of the algorithm, if a service has several.")
@click.option(
    "--against",
    default="random,tpe",
    show_default=True,
    metavar="NAME,...",
    help="The algorithms to compare with.",
)
@click.option("--problem", "problems", multiple=True, help="Only this problem; may be repeated.")
@click.option(
    "--trials", type=click.IntRange(1), default=50, show_default=True, help="Trials per search."
)
@click.option(
    "--parallel", type=click.IntRange(1), default=1, show_default=True, help="Points at a time."
)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Searches.")
def plugin_bench(
    name: str,
    algorithm: str | None,
    against: str,
    problems: tuple[str, ...],
    trials: int,
    parallel: int,
    seeds: int,
) -> None:
    """Measure how close an algorithm comes to the optimum of known problems, compared with others.

    It shows how far the best point stays above the optimum (the median and quartiles over the
    seeds), and how long a suggestion takes.

    \b
    Examples:
      tunewright plugin bench my-algorithm
      tunewright plugin bench localhost:6789 --against tpe,random --seeds 10
      tunewright plugin bench tpe --problem branin --trials 100
    """
    import asyncio

    from ..suggestion.plugin.bench import mean_ranks, measure

    contenders = _contenders(name, algorithm, against.split(","))
    challenges = _challenges(problems)

    async def measured() -> list["Result"]:
        found = []
        asked = measure(contenders, challenges, trials=trials, parallel=parallel, seeds=seeds)
        async for result in asked:
            console.note(f"{result.challenge}: {result.contender} {result.regret:.3g}")
            found.append(result)
        return found

    results = asyncio.run(measured())
    console.table(
        ["problem", "algorithm", "above the optimum", "quartiles", "a suggestion takes"],
        [
            [
                result.challenge,
                result.contender,
                f"{result.regret:.3g}",
                " – ".join(f"{end:.3g}" for end in result.spread),
                f"{result.seconds * 1000:.1f} ms",
            ]
            for result in results
        ],
    )
    if len(challenges) > 1:
        ranks = sorted(mean_ranks(results).items(), key=lambda item: item[1])
        click.echo("mean place: " + ", ".join(f"{label} {place:.2f}" for label, place in ranks))


def _contenders(name: str, algorithm: str | None, against: Sequence[str]) -> Sequence["Contender"]:
    """Return the algorithm or service that is measured, and its rivals.

    Raises:
        Invalid: there is no such algorithm.
    """
    from ..suggestion.plugin.bench import Contender
    from ..suggestion.plugin.subject import AtAddress

    rivals = [rival for rival in against if rival != name]
    if not is_address(name):
        return [_in_process(each) for each in (name, *rivals)]
    service = Contender(name, algorithm or "random", AtAddress(name, exact=False))
    return [service, *map(_in_process, rivals)]


def _in_process(algorithm: str) -> "Contender":
    from ..suggestion import registry
    from ..suggestion.plugin.bench import Contender
    from ..suggestion.plugin.subject import InProcess

    registry.find(algorithm)
    return Contender(algorithm, algorithm, InProcess())


def _challenges(names: Sequence[str]) -> Sequence["Challenge"]:
    from ..api.errors import Fault, Invalid
    from ..suggestion.plugin.problems import CHALLENGES
    from ..suggestion.settings import nearest

    known: Mapping[str, Challenge] = CHALLENGES
    faults = [
        Fault("--problem", f"there is no problem {name}", nearest(name, known))
        for name in names
        if name not in known
    ]
    if faults:
        raise Invalid(faults)
    return [known[name] for name in names] or list(known.values())
