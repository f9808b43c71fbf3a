"""What an attempt used, as metrics that nobody has to print."""

from collections.abc import Iterable

from ..api.observation import Batch, Sample
from ..db.ledger import Ledger
from .ports import Ended

SOURCE = "usage"
"""The source that their samples are recorded under."""


def record_usage(store: Ledger, ended: Ended, metrics: Iterable[str]) -> None:
    """Record what was measured of an attempt, where it is a metric of the experiment.

    What the program reported itself under such a name is left alone. An attempt that never
    ran has no usage.
    """
    ref, values = ended.ref, ended.usage.measured
    wanted = values.keys() & metrics
    if not wanted:
        return
    wanted -= store.observation(ref.uid, ref.index, ref.attempt).keys()
    if wanted:
        samples = tuple(Sample(name, float(values[name]), ended.at) for name in sorted(wanted))
        store.record([Batch(ref.uid, ref.index, ref.attempt, SOURCE, 0, samples)], now=ended.at)
