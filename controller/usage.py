"""What an attempt used, as metrics that nobody has to print."""

from collections.abc import Collection
from dataclasses import asdict

from ..api.observation import Batch, Sample
from ..db.ledger import Ledger
from ..db.records import Usage
from .ports import Ended

SOURCE = "usage"
"""The source that their samples are recorded under."""

NAMES = frozenset(asdict(Usage()))
"""The metrics that are measured: wall_seconds, cpu_seconds, peak_memory_bytes, device_seconds."""


def record_usage(store: Ledger, ended: Ended, metrics: Collection[str]) -> None:
    """Record what was measured of an attempt, where it is a metric of the experiment.

    What the program reported itself under such a name is left alone. An attempt that never
    ran has no usage.
    """
    wanted = NAMES.intersection(metrics)
    if not wanted or not ended.usage.wall_seconds:
        return
    ref, values = ended.ref, asdict(ended.usage)
    wanted -= store.observation(ref.uid, ref.index, ref.attempt).keys()
    if wanted:
        samples = tuple(Sample(name, float(values[name]), ended.at) for name in sorted(wanted))
        store.record([Batch(ref.uid, ref.index, ref.attempt, SOURCE, 0, samples)], now=ended.at)
