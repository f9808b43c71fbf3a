"""The search space: parameters, architectures, conditions, points known before."""

from collections.abc import Sequence
from decimal import Decimal

from ..experiment import ExperimentSpec
from ..parameter_spec import FeasibleSpace, GraphConfig, ParameterConditionSpec, ParameterSpec
from ..space import Distribution, ParameterKind, is_beyond, is_narrow
from .report import INVALID, REQUIRED, Report, number

NUMERIC = (ParameterKind.DOUBLE.value, ParameterKind.INT.value)
LISTED = (ParameterKind.DISCRETE.value, ParameterKind.CATEGORICAL.value)
KINDS = [*NUMERIC, *LISTED]
DISTRIBUTIONS = [each.value for each in Distribution]
_GREATEST_SIZE = 2**31 - 1
"""What the protocols of plug-ins carry of a network's layers and sizes."""


def check_space(spec: ExperimentSpec, report: Report) -> None:
    if not spec.parameters and spec.nas_config is None:
        report.add("spec", "spec.parameters or spec.nasConfig must be specified", kind=REQUIRED)
    if spec.parameters and spec.nas_config is not None:
        report.add("spec", "only one of spec.parameters and spec.nasConfig can be specified")
    check_parameters(spec.parameters, "spec.parameters", report)
    if spec.nas_config is not None:
        _check_architecture(spec, report)
    _check_conditions(spec, report)


def check_parameters(parameters: Sequence[ParameterSpec], path: str, report: Report) -> None:
    report.unique(f"{path}[{{}}].name", [p.name for p in parameters], of="the name")
    for i, parameter in enumerate(parameters):
        _check_parameter(parameter, f"{path}[{i}]", report)


def _check_parameter(parameter: ParameterSpec, path: str, report: Report) -> None:
    report.require(f"{path}.name", parameter.name)
    if any(sign in parameter.name for sign in "{}"):
        report.add(f"{path}.name", "must not contain '{' or '}'", "rename it")
    kind, space = parameter.parameter_type, parameter.feasible_space
    known = report.one_of(
        f"{path}.parameterType", kind, KINDS, f"parameterType: {kind} is not supported"
    )
    where = f"{path}.feasibleSpace"
    if space is None or not space.model_fields_set:
        report.add(where, "feasibleSpace must be specified", kind=REQUIRED)
        return
    distribution = space.distribution or "uniform"
    report.one_of(
        f"{where}.distribution",
        distribution,
        DISTRIBUTIONS,
        f"distribution: {distribution} is not supported",
    )
    if not known:
        return
    if kind in NUMERIC:
        _check_numeric(kind, space, where, report)
    else:
        _check_listed(kind, space, where, report)


def _check_numeric(kind: str, space: FeasibleSpace, path: str, report: Report) -> None:
    if space.list:
        report.add(
            f"{path}.list",
            f"feasibleSpace.list is not supported for parameterType: {kind}",
            "use discrete or categorical for a list",
        )
    if not (space.min and space.max):
        report.add(
            f"{path}.max",
            "feasibleSpace.max or feasibleSpace.min must be specified for parameterType: " + kind,
            "write both",
            kind=REQUIRED,
        )
    low = _bound(kind, space.min, f"{path}.min", report)
    high = _bound(kind, space.max, f"{path}.max", report)
    step = _bound(kind, space.step, f"{path}.step", report)
    if low is not None and high is not None:
        if low > high:
            message = f"max {space.max} must not be less than min {space.min}"
            report.add(f"{path}.max", message, "swap them")
            return
        if is_narrow(low, high, kind, space.distribution or "uniform"):
            message = f"min {space.min} and max {space.max} are too near for doubles to tell apart"
            report.add(f"{path}.max", message, "a wider range, or distribution uniform")
    if step is not None and step <= 0:
        report.add(f"{path}.step", f"step {space.step} must be greater than 0")
    elif step is not None and low is not None and high is not None and step > high - low > 0:
        report.add(
            f"{path}.step",
            f"step {space.step} is larger than the range from {space.min} to {space.max}",
            "a smaller step",
        )
    if space.distribution in {"logUniform", "logNormal"} and low is not None and low <= 0:
        report.add(
            f"{path}.min",
            f"min {space.min} must be greater than 0 for distribution: {space.distribution}",
            "a small positive min, or distribution uniform",
        )


def _bound(kind: str, text: str | None, path: str, report: Report) -> Decimal | None:
    if not text:
        return None
    value = number(text)
    if value is None:
        report.add(path, f"{text!r} is not a number", "write a finite number, such as 0.1 or 1e-4")
    elif is_beyond(value):
        report.add(path, f"{text} is beyond what a double can hold", "between 1e-300 and 1e300")
        return None
    elif kind == "int" and value != value.to_integral_value():
        report.add(path, f"{text} is not a whole number", "round it, or use parameterType: double")
        return None
    return value


def _check_listed(kind: str, space: FeasibleSpace, path: str, report: Report) -> None:
    if space.min or space.max or space.step:
        report.add(
            path,
            f"feasibleSpace .max, .min and .step is not supported for parameterType: {kind}",
            "use double or int for a range",
        )
    if not space.list:
        report.add(f"{path}.list", f"must be specified for parameterType: {kind}", kind=REQUIRED)
    entries = list(space.list)
    if kind == "discrete":
        entries = [_normal(entry, f"{path}.list[{i}]", report) for i, entry in enumerate(entries)]
    report.unique(f"{path}.list[{{}}]", entries, of="the value")
    if space.distribution in DISTRIBUTIONS[1:]:
        report.add(
            f"{path}.distribution",
            f"distribution: {space.distribution} is not supported for parameterType: {kind}",
            "leave it out, or use double or int",
        )


def _normal(entry: str, path: str, report: Report) -> str:
    """Return the number of a list in one way of writing it, "" where it is none."""
    value = number(entry)
    if value is None:
        remedy = "use parameterType: categorical for text"
        report.add(path, f"{entry!r} is not a number", remedy)
        return ""
    if is_beyond(value):
        remedy = "between 1e-300 and 1e300"
        report.add(path, f"{entry} is beyond what a double can hold", remedy)
        return ""
    return str(value.normalize())


def _check_architecture(spec: ExperimentSpec, report: Report) -> None:
    nas, path = spec.nas_config, "spec.nasConfig"
    if nas is None:
        return
    if report.require(f"{path}.graphConfig", nas.graph_config) and nas.graph_config:
        _check_graph(nas.graph_config, f"{path}.graphConfig", report)
    report.require(f"{path}.operations", nas.operations)
    for i, operation in enumerate(nas.operations):
        where = f"{path}.operations[{i}]"
        report.require(f"{where}.operationType", operation.operation_type)
        check_parameters(operation.parameters, f"{where}.parameters", report)


def _check_graph(graph: GraphConfig, path: str, report: Report) -> None:
    layers = graph.num_layers
    if layers is not None and layers < 1:
        report.add(f"{path}.numLayers", "must be greater than 0")
    sizes = {
        "numLayers": layers or 0,
        **{f"inputSizes[{i}]": size for i, size in enumerate(graph.input_sizes)},
        **{f"outputSizes[{i}]": size for i, size in enumerate(graph.output_sizes)},
    }
    for name, size in sizes.items():
        if abs(size) > _GREATEST_SIZE:
            report.add(f"{path}.{name}", f"must be within ±{_GREATEST_SIZE:,}")


def _check_conditions(spec: ExperimentSpec, report: Report) -> None:
    known = {parameter.name: parameter for parameter in spec.parameters}
    parents: dict[str, str] = {}
    named = [condition.parameter for condition in spec.parameter_conditions]
    report.unique("spec.parameterConditions[{}].parameter", named, of="the parameter")
    for i, condition in enumerate(spec.parameter_conditions):
        path = f"spec.parameterConditions[{i}]"
        _check_condition(condition, known, path, report)
        if condition.when:
            parents[condition.parameter] = condition.when.parameter
            if _reaches_itself(condition.parameter, parents):
                report.add(f"{path}.when.parameter", f"{condition.parameter} depends on itself")


def _reaches_itself(name: str, parents: dict[str, str]) -> bool:
    seen = {name}
    while name in parents:
        name = parents[name]
        if name in seen:
            return True
        seen.add(name)
    return False


def _check_condition(
    condition: ParameterConditionSpec,
    known: dict[str, ParameterSpec],
    path: str,
    report: Report,
) -> None:
    if report.require(f"{path}.parameter", condition.parameter):
        exists(condition.parameter, known, f"{path}.parameter", report)
    if not report.require(f"{path}.when", condition.when) or condition.when is None:
        return
    when = condition.when
    report.require(f"{path}.when.in", when.in_)
    if not exists(when.parameter, known, f"{path}.when.parameter", report):
        return
    space = known[when.parameter].feasible_space
    if known[when.parameter].parameter_type not in LISTED:
        report.add(
            f"{path}.when.parameter",
            f"{when.parameter} must be discrete or categorical",
            "a condition compares with entries of a list",
        )
    elif space is not None:
        for i, value in enumerate(when.in_):
            report.one_of(f"{path}.when.in[{i}]", value, list(space.list))


def exists(name: str, known: dict[str, ParameterSpec], path: str, report: Report) -> bool:
    if name in known:
        return True
    report.add(
        path,
        f"the parameter {name!r} does not exist",
        f"known are {', '.join(known) or 'none'}",
        kind=INVALID,
    )
    return False
