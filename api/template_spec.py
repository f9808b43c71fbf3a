"""`spec.trialTemplate`: what a trial runs."""

from .model import Model, Object, Text


class TrialParameterSpec(Model):
    """`${trialParameters.<name>}` stands for the value of `reference`."""

    name: Text = ""
    description: str | None = None
    reference: Text = ""


class ConfigMapSource(Model):
    config_map_name: str = ""
    config_map_namespace: str = ""
    template_path: str = ""


class TrialTemplate(Model):
    """One of `trial_spec` and `config_map`.

    Absent `trial_parameters` are one for each parameter, by its own name; an
    empty list says that the program reads its point itself.
    """

    retain: bool | None = None
    trial_spec: Object | None = None
    config_map: ConfigMapSource | None = None
    trial_parameters: tuple[TrialParameterSpec, ...] | None = None
    primary_pod_labels: dict[str, Text] | None = None
    primary_container_name: str | None = None
    success_condition: str | None = None
    failure_condition: str | None = None
