"""`spec.parameters` and `spec.nasConfig`: the search space as files write it."""

from pydantic import Field

from .model import Count, Model, Several, Text, Texts


class FeasibleSpace(Model):
    """Numbers are text here, as in Katib: 0.10 stays 0.10."""

    min: Text | None = None
    max: Text | None = None
    step: Text | None = None
    list: Texts = ()
    distribution: str | None = None


class ParameterSpec(Model):
    name: Text = ""
    parameter_type: str = ""
    feasible_space: FeasibleSpace | None = None


class GraphConfig(Model):
    num_layers: Count | None = None
    input_sizes: Several[Count] = ()
    output_sizes: Several[Count] = ()


class OperationSpec(Model):
    operation_type: str = ""
    parameters: Several[ParameterSpec] = ()


class NasConfig(Model):
    graph_config: GraphConfig | None = None
    operations: Several[OperationSpec] = ()


class WhenSpec(Model):
    """The other parameter, and the values of it that make this one active."""

    parameter: str = ""
    in_: Texts = Field(default=(), alias="in")


class ParameterConditionSpec(Model):
    """Extension `parameterConditions[]`: a parameter that exists only with some choices."""

    parameter: str = ""
    when: WhenSpec | None = None
