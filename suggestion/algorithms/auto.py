"""What runs when no algorithm is named."""

from .tpe import Tpe


class Auto(Tpe):
    """tpe for now: it takes every kind of space, any number of trials and any parallelism,
    and each answer costs milliseconds.
    """

    name = "auto"
    description = "chooses for you: tpe for now, which suits every space and budget"
