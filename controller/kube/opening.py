"""Opening an experiment: from its resources to the driver that goes on with it."""

from collections.abc import Sequence
from dataclasses import replace

from ...api.conditions import Conditions
from ...db.records import ExperimentRecord, Totals
from ...suggestion.check import check_algorithm
from ..brief import Brief, brief_of
from ..loading import Memory
from .book import Book, without_refusal
from .cache import key_of
from .claims import make_claim
from .driver import Driver, adapted
from .experiments import experiment_record
from .informers import BY_EXPERIMENT
from .jobs import Jobs
from .limiting import check_kind, check_plugins
from .page import Page
from .plugins import Plugin, check_endpoints, plugin_of
from .port import Document, Resource
from .templates import with_template
from .trials import is_ours, page_of
from .warm_start import warm_trials
from .world import World
from .writing import created


async def open_driver(world: World, document: Document, before: int | None) -> Driver:
    """Read an experiment and its trials as the cluster has them.

    `before` is how many trials there were when it was driven here a moment ago,
    None when it was not: a cache may not have all that was written then.

    Raises:
        Invalid: the document is not what validation lets pass, or what it asks for is not granted.
        NotFound: the kind of its trials is not installed.
        ServerUnavailable: what a namesake had beside its trials is still there.
    """
    record, conditions = experiment_record(
        await with_template(world.kube, document, world.template_namespaces)
    )
    brief = brief_of(record)
    plugin = await _plugin(world, record, brief)
    kind = await _kind_of_trials(world, record, brief)
    workloads = await world.informers.workloads(kind)
    pages = await _pages(world, record, brief, anew=before is not None)
    book = _book(world, record, conditions, brief, pages, at_least=before or 0)
    own = [page.record for page in pages]
    warm = await warm_trials(world.informers, book.experiment, brief, own, proposed=book.proposed)
    if plugin is not None:
        await plugin.begin()
    await make_claim(world.kube, record, brief, world.katib_configs)
    jobs = Jobs(world.kube, workloads, kind, world.settings, world.impersonates)
    brief = adapted(brief, plugin, record.key.name)
    driver = Driver(world, book, brief, jobs, plugin, memory=Memory(warm=warm))
    for trial in world.informers.trials.under(BY_EXPERIMENT, key_of(document)):
        driver.hear_of(trial)  # it may have come while all this was read
    return driver


async def _plugin(world: World, record: ExperimentRecord, brief: Brief) -> Plugin | None:
    """Return the plug-in that searches, None where a built-in algorithm or an endpoint does."""
    spec, namespace = record.document["spec"], record.key.namespace
    check_plugins(spec, world.limits(namespace), namespace)
    check_endpoints(spec, namespace)
    plugin = await plugin_of(world.kube, record, brief, world.katib_configs)
    check_algorithm(record.document, elsewhere=plugin is not None)
    return plugin


async def _kind_of_trials(world: World, record: ExperimentRecord, brief: Brief) -> Resource:
    source, namespace = brief.template.source, record.key.namespace
    kind = await world.informers.resource(source["apiVersion"], source["kind"])
    check_kind(kind, world.limits(namespace), namespace)
    return kind


async def _pages(
    world: World, record: ExperimentRecord, brief: Brief, *, anew: bool
) -> Sequence[Page]:
    return [
        page_of(trial, brief.objective, brief.problem.space)
        for trial in await world.informers.trials_of(key_of(record.document), anew=anew)
        if is_ours(trial, record.uid)
    ]


def _book(
    world: World,
    record: ExperimentRecord,
    conditions: Conditions,
    brief: Brief,
    pages: Sequence[Page],
    *,
    at_least: int,
) -> Book:
    """Fold the trials; `at_least` so many there are, whatever the status says."""
    known = max(at_least, record.totals.proposed)
    return Book(
        replace(record, totals=Totals(proposed=known)),
        without_refusal(conditions) or created(world.clock.now()),
        pages,
        min_delta=brief.policy.min_delta,
    )
