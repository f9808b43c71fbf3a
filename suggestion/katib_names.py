"""The place of a trial, in its name: Katib's controller gives no labels back.

It creates a trial by the name that the service gave it, with the labels beside it in its
metadata, and tells the service later of the name alone. What hyperband and its like, and pbt,
know a trial's place by therefore stands in the name, too: `digits-b0r1-3f2a9c01`.
"""

import re
from dataclasses import replace
from uuid import uuid4

from ..api.history import Entry, Proposal, Proposed
from ..api.lineage import GENERATION, MEMBER
from .algorithms.halving import BRACKET, RUNG

_LETTERS = {"b": BRACKET, "r": RUNG, "g": GENERATION, "m": MEMBER}
_PLACE = re.compile(r".*-((?:[brgm]\d{1,9})+)-[0-9a-f]{8}")
_PART = re.compile(r"([brgm])(\d+)")


def named(experiment: str, proposal: Proposal) -> Proposal:
    """Return a point with a name that tells its place; one without a place is Katib's to name.

    The end is chance, as in Katib's own names: its database knows trials of all namespaces
    by their names alone.
    """
    labels = dict(proposal.labels)
    place = "".join(f"{letter}{labels[key]}" for letter, key in _LETTERS.items() if key in labels)
    if not place:
        return proposal
    return replace(proposal, name=f"{experiment}-{place}-{uuid4().hex[:8]}")


def placed(entry: Entry) -> Entry:
    """Return an entry of a request with the labels that its trial's name tells."""
    if not isinstance(entry, Proposed) or entry.proposal.labels:
        return entry
    found = _PLACE.fullmatch(entry.proposal.name or "")
    if found is None:
        return entry
    labels = tuple((_LETTERS[letter], value) for letter, value in _PART.findall(found[1]))
    return replace(entry, proposal=replace(entry.proposal, labels=labels))
