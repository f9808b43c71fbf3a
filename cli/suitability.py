"""Whether a file can run on a laptop or on a cluster, and what it would mean there."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path

from ..api.documents import Bundle
from ..api.errors import Invalid, NotFound
from ..api.experiment import Experiment
from ..api.identity import DEFAULT_NAMESPACE, ExperimentKey
from ..db.records import ExperimentRecord
from ..sdk.sources.where import Where


def check(experiment: Experiment, bundle: Bundle, world: str | None) -> Iterator[str]:
    """Yield what a user should know of an experiment that runs in `world`: a laptop, a cluster.

    Raises:
        Invalid, Unsupported: it cannot run there.
    """
    from ..controller.local.cgroups import held, own_places
    from ..controller.local.fields import remarks_of
    from ..sdk.machine import check_machine, default_options
    from ..sdk.rendered import sample_manifest
    from ..suggestion.check import check_algorithm

    document = experiment.write()
    check_algorithm(document)
    if world == "laptop":
        yield from _without_meaning(document["spec"])
        check_machine(document, default_options(bundle.others), str(Path.cwd()))
        yield from remarks_of(sample_manifest(document), held=held(own_places()))
    elif world == "cluster" and "trialSpec" in (document["spec"].get("trialTemplate") or {}):
        yield from _on_a_cluster(document)  # a template in a ConfigMap there is not known here


def _on_a_cluster(document: Mapping[str, object]) -> Iterator[str]:
    """Yield remarks on the template."""
    from ..sdk.rendered import container_of, primary_name, sample_manifest

    manifest = sample_manifest(document)
    container = container_of(manifest, primary_name(document))
    if container and not container.get("image"):
        yield "the primary container has no image: a cluster needs one"
    if container.get("image") == "tunewright/local":
        yield "the image tunewright/local is none: name one that a cluster can pull"
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "Job" and spec.get("backoffLimit") != 0:
        yield (
            "a failed pod is restarted, up to 6 times if backoffLimit is not set;"
            " backoffLimit: 0 ends a trial at its first failure, and trialPolicy.retries counts"
        )


_FOR_CLUSTERS = {
    "ttlSecondsAfterFinished": "`tunewright prune` removes what has ended",
    "trialServiceAccount": "there is no API server",
}


def _without_meaning(spec: Mapping[str, object]) -> Iterator[str]:
    for name, why in _FOR_CLUSTERS.items():
        if name in spec:
            yield f"spec.{name} has no effect here: {why}"


def check_sources(experiment: Experiment, where: Where) -> Iterator[str]:
    """Yield a remark for each experiment of `warmStartFrom` that is not there yet.

    Raises:
        Invalid: one does not suit this one.
    """
    from ..controller.warm_start import records_of

    if not experiment.spec.warm_start_from:
        return
    with where.opened() if where.is_there else nullcontext() as source:
        usual = None if source is None else source.namespace
        metadata = experiment.metadata
        namespace = where.namespace or metadata.namespace or usual or DEFAULT_NAMESPACE
        key = ExperimentKey(namespace, metadata.name or "")

        def look(name: str) -> ExperimentRecord | None:
            if source is not None:
                with suppress(NotFound):
                    return source.records.experiment(ExperimentKey(key.namespace, name))
            return None

        try:
            records_of(key, experiment.write(), look)
        except Invalid as error:
            wrong = [fault for fault in error.faults if fault.kind != "NotFound"]
            if wrong:
                raise Invalid(wrong) from None
            for fault in error.faults:
                yield f"{fault.path}: {fault.message}: it must exist when this one begins"
