"""`spec.algorithm` and `spec.earlyStopping`: a name with settings."""

from typing import Annotated

from pydantic import BeforeValidator

from .model import Model, Text, no_null


class Setting(Model):
    """One setting, as text; the algorithm parses it."""

    name: str = ""
    value: Text = ""


Settings = Annotated[tuple[Setting, ...], BeforeValidator(no_null)]


class AlgorithmSpec(Model):
    """`endpoint` and `timeout_seconds` are extensions: a plug-in by its address."""

    algorithm_name: str = ""
    algorithm_settings: Settings = ()
    endpoint: str | None = None
    timeout_seconds: float | None = None


class EarlyStoppingSpec(Model):
    algorithm_name: str = ""
    algorithm_settings: Settings = ()
