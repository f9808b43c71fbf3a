"""What is wrong with a `nasConfig`, in Katib's words."""

from collections.abc import Iterator
from math import prod

from ....api.errors import Fault
from ....api.problem import Architecture, Operation, Problem
from ....api.space import Parameter, ParameterKind

PATH = "spec.nasConfig"
MOST_LAYERS = 1_000
MOST_OPERATIONS = 10_000
"""What is written out for each trial, and learned of. Networks that are searched have tens."""


def graph_faults(problem: Problem) -> Iterator[Fault]:
    """Yield what keeps enas and its like from building networks."""
    graph = problem.architecture
    if graph is None:
        message = f"the algorithm {problem.algorithm} searches architectures"
        yield Fault("spec", message, "describe them in spec.nasConfig", "Required")
        return
    for name, value in (
        ("InputSizes", graph.input_sizes),
        ("OutputSizes", graph.output_sizes),
        ("NumLayers", graph.layers),
    ):
        if not value:
            yield Fault(f"{PATH}.graphConfig", f"Missing {name} in GraphConfig:\n{_graph(graph)}")
    if graph.layers and graph.layers > MOST_LAYERS:
        message = f"{graph.layers} layers are more than {MOST_LAYERS}"
        yield Fault(f"{PATH}.graphConfig.numLayers", message)
    yield from operation_faults(graph)


def operation_faults(graph: Architecture, *, bare: str = "") -> Iterator[Fault]:
    """Yield what is wrong with the operations; those of the kind `bare` need no parameters."""
    if not graph.operations:
        yield Fault(f"{PATH}.operations", "there are no operations", "name some", "Required")
    for place, operation in enumerate(graph.operations):
        path = f"{PATH}.operations[{place}]"
        if not operation.kind:
            message = f"Missing operationType in Operation:\n{operation.kind}"
            yield Fault(f"{path}.operationType", message, "", "Required")
        if not operation.space.parameters and operation.kind != bare:
            message = f"Missing ParameterConfigs in Operation:\n{operation.kind}"
            yield Fault(f"{path}.parameters", message, "", "Required")
        yield from _parameter_faults(operation, path)
        yield from _quote_faults(operation, path)
    count = sum(_variants(operation) for operation in graph.operations)
    if count > MOST_OPERATIONS:
        message = f"with all values of their parameters, they are more than {MOST_OPERATIONS}"
        yield Fault(f"{PATH}.operations", message, "narrow the ranges, or widen their steps")


def _variants(operation: Operation) -> int:
    return prod(parameter.levels or 1 for parameter in operation.space.parameters)


def _parameter_faults(operation: Operation, path: str) -> Iterator[Fault]:
    for place, parameter in enumerate(operation.space.parameters):
        if not parameter.name:
            message = f"Missing Name in ParameterConfig:\n{parameter.describe()}"
            yield Fault(f"{path}.parameters[{place}].name", message, "", "Required")
        if _is_endless(parameter):
            message = (
                "Step parameter should be > 0 in ParameterConfig.feasibleSpace:\n"
                f"{parameter.describe()}"
            )
            yield Fault(f"{path}.parameters[{place}].feasibleSpace.step", message, "", "Required")


def _quote_faults(operation: Operation, path: str) -> Iterator[Fault]:
    """Yield what would end too early where Katib's form has it between single quotes."""
    texts = [(f"{path}.operationType", operation.kind)]
    for i, parameter in enumerate(operation.space.parameters):
        own = f"{path}.parameters[{i}]"
        texts.append((f"{own}.name", parameter.name))
        texts += [
            (f"{own}.feasibleSpace.list[{j}]", text) for j, text in enumerate(parameter.choices)
        ]
    for place, text in texts:
        if "'" in text or '"' in text:
            message = f"a trial cannot be told of {text!r}: architectures are written with quotes"
            yield Fault(place, message, "write it without a quote")


def _is_endless(parameter: Parameter) -> bool:
    return parameter.kind is ParameterKind.DOUBLE and parameter.levels is None


def _graph(graph: Architecture) -> str:
    return (
        f"num_layers: {graph.layers or 0}, input_sizes: {list(graph.input_sizes)}, "
        f"output_sizes: {list(graph.output_sizes)}"
    )
