"""`spec.algorithm` and `spec.earlyStopping`: a name with settings."""

from .model import Model, Several, Text


class Setting(Model):
    """One setting, as text; the algorithm parses it."""

    name: str = ""
    value: Text = ""


class AlgorithmSpec(Model):
    """`endpoint` and `timeout_seconds` are extensions: a plug-in by its address."""

    algorithm_name: str = ""
    algorithm_settings: Several[Setting] = ()
    endpoint: str | None = None
    timeout_seconds: float | None = None


class EarlyStoppingSpec(Model):
    """`endpoint` is an extension: a plug-in by its address."""

    algorithm_name: str = ""
    algorithm_settings: Several[Setting] = ()
    endpoint: str | None = None
