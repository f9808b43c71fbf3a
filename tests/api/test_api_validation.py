"""Every rule, by the path and kind of the fault that it makes."""

import copy
import math

import pytest
from tunewright.api.documents import parse
from tunewright.api.errors import Invalid

BASE = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {"name": "valid"},
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "maxTrialCount": 6,
        "parallelTrialCount": 3,
        "maxFailedTrialCount": 3,
        "resumePolicy": "Never",
        "parameters": [
            {
                "name": "lr",
                "parameterType": "double",
                "feasibleSpace": {"min": "1", "max": "5", "distribution": "uniform"},
            }
        ],
        "trialTemplate": {
            "primaryContainerName": "training",
            "trialParameters": [{"name": "learningRate", "reference": "lr"}],
            "trialSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "training",
                                    "command": ["--lr=${trialParameters.learningRate}"],
                                }
                            ]
                        }
                    }
                },
            },
        },
    },
}
SPACE = ("spec", "parameters", 0, "feasibleSpace")
PARAMETER = ("spec", "parameters", 0)
TEMPLATE = ("spec", "trialTemplate")
COLLECTOR = ("spec", "metricsCollectorSpec")
FILE = {"collector": {"kind": "File"}}


def changed(*changes):
    document = copy.deepcopy(BASE)
    for *steps, last, value in changes:
        place = document
        for step in steps:
            place = place[step]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return document


def faults(document):
    try:
        parse(document)
    except Invalid as invalid:
        return invalid.faults
    return ()


def path(*steps):
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def categorical(*entries):
    return {"name": "lr", "parameterType": "categorical", "feasibleSpace": {"list": list(entries)}}


def discrete(*entries):
    return {"name": "lr", "parameterType": "discrete", "feasibleSpace": {"list": list(entries)}}


def pattern(text):
    return {"collector": {"kind": "StdOut"}, "source": {"filter": {"metricsFormat": [text]}}}


def page(**get):
    return {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": get}}


def test_the_base_is_valid():
    assert faults(BASE) == ()


@pytest.mark.parametrize(
    ("distribution", "is_fit"),
    [("uniform", True), ("normal", False), ("logUniform", False), ("logNormal", False)],
)
def test_a_range_is_refused_whose_ends_are_one_where_its_values_are_drawn(distribution, is_fit):
    space = {"min": str(10**17), "max": str(10**17 + 3), "distribution": distribution}
    found = faults(changed((*PARAMETER, "parameterType", "int"), (*SPACE, space)))
    assert [fault.path for fault in found] == ([] if is_fit else [path(*SPACE, "max")])


@pytest.mark.parametrize("step", [None, "1"])
def test_a_range_may_be_of_one_value(step):
    assert faults(changed((*SPACE, {"min": "1", "max": "1.0", "step": step}))) == ()


RULES = [
    ("a name with a digit in front", ("metadata", "name", "1ab"), "metadata.name", "Invalid"),
    ("a name with a bad end", ("metadata", "name", "ab_C"), "metadata.name", "Invalid"),
    ("a name of 41 characters", ("metadata", "name", "a" * 41), "metadata.name", "Invalid"),
    ("no name", ("metadata", "name", None), "metadata.name", "Required"),
    ("no objective", ("spec", "objective", None), "spec.objective", "Required"),
    ("an objective type", ("spec", "objective", "type", "x"), "spec.objective.type", "Invalid"),
    (
        "an objective metric whose name no database keeps",
        ("spec", "objective", "objectiveMetricName", "n" * 256),
        "spec.objective.objectiveMetricName",
        "Invalid",
    ),
    (
        "no objective metric",
        ("spec", "objective", "objectiveMetricName", None),
        "spec.objective.objectiveMetricName",
        "Required",
    ),
    (
        "the objective among the additional",
        ("spec", "objective", "additionalMetricNames", ["loss"]),
        "spec.objective.additionalMetricNames",
        "Invalid",
    ),
    (
        "a goal of nan",
        ("spec", "objective", "goal", float("nan")),
        "spec.objective.goal",
        "Invalid",
    ),
    (
        "a strategy of no metric",
        ("spec", "objective", "metricStrategies", [{"name": "x", "value": "min"}]),
        "spec.objective.metricStrategies[0].name",
        "Invalid",
    ),
    (
        "a strategy that is none",
        ("spec", "objective", "metricStrategies", [{"name": "loss", "value": "mean"}]),
        "spec.objective.metricStrategies[0].value",
        "Invalid",
    ),
    (
        "an algorithm without name",
        ("spec", "algorithm", {}),
        "spec.algorithm.algorithmName",
        "Required",
    ),
    (
        "early stopping without name",
        ("spec", "earlyStopping", {}),
        "spec.earlyStopping.algorithmName",
        "Required",
    ),
    (
        "negative failures",
        ("spec", "maxFailedTrialCount", -1),
        "spec.maxFailedTrialCount",
        "Invalid",
    ),
    ("more failures", ("spec", "maxFailedTrialCount", 7), "spec.maxFailedTrialCount", "Invalid"),
    ("no trials", ("spec", "maxTrialCount", 0), "spec.maxTrialCount", "Invalid"),
    ("no parallel", ("spec", "parallelTrialCount", 0), "spec.parallelTrialCount", "Invalid"),
    ("more parallel", ("spec", "parallelTrialCount", 7), "spec.parallelTrialCount", "Invalid"),
    ("a count in quotes", ("spec", "maxTrialCount", "6"), "spec.maxTrialCount", "Invalid"),
    ("a resume policy", ("spec", "resumePolicy", "x"), "spec.resumePolicy", "Invalid"),
    ("no parameters", ("spec", "parameters", None), "spec", "Required"),
    ("parameters and nas", ("spec", "nasConfig", {"operations": []}), "spec", "Invalid"),
    (
        "a parameter type",
        (*PARAMETER, "parameterType", "x"),
        "spec.parameters[0].parameterType",
        "Invalid",
    ),
    (
        "unknown type",
        (*PARAMETER, "parameterType", "unknown"),
        "spec.parameters[0].parameterType",
        "Invalid",
    ),
    ("a distribution", (*SPACE, "distribution", "x"), path(*SPACE, "distribution"), "Invalid"),
    ("no feasible space", (*PARAMETER, "feasibleSpace", None), path(*SPACE), "Required"),
    ("a list of a double", (*SPACE, "list", ["1"]), path(*SPACE, "list"), "Invalid"),
    ("no max", (*SPACE, "max", None), path(*SPACE, "max"), "Required"),
    ("max below min", (*SPACE, "max", "0"), path(*SPACE, "max"), "Invalid"),
    ("one double", (*SPACE, "max", "1.00000000000000001"), path(*SPACE, "max"), "Invalid"),
    ("no number", (*SPACE, "min", "abc"), path(*SPACE, "min"), "Invalid"),
    ("infinity", (*SPACE, "max", "inf"), path(*SPACE, "max"), "Invalid"),
    ("a step of 0", (*SPACE, "step", "0"), path(*SPACE, "step"), "Invalid"),
    ("a step too large", (*SPACE, "step", "4.5"), path(*SPACE, "step"), "Invalid"),
    (
        "a logarithm of 0",
        (*SPACE, {"min": "0", "max": "1", "distribution": "logUniform"}),
        path(*SPACE, "min"),
        "Invalid",
    ),
    ("an empty list", (*PARAMETER, categorical()), path(*SPACE, "list"), "Required"),
    ("a value twice", (*PARAMETER, categorical("a", "a")), path(*SPACE, "list[1]"), "Duplicate"),
    ("a number twice", (*PARAMETER, discrete("1", "1.0")), path(*SPACE, "list[1]"), "Duplicate"),
    ("text in a discrete list", (*PARAMETER, discrete("a")), path(*SPACE, "list[0]"), "Invalid"),
    ("no template", (*TEMPLATE, None), "spec.trialTemplate", "Required"),
    ("no source", (*TEMPLATE, "trialSpec", None), "spec.trialTemplate.TrialSource", "Required"),
    ("two sources", (*TEMPLATE, "configMap", {}), "spec.trialTemplate", "Required"),
    (
        "a container that is not there",
        (*TEMPLATE, "primaryContainerName", "x"),
        "spec.trialTemplate.primaryContainerName",
        "Invalid",
    ),
    (
        "a reference that does not exist",
        (*TEMPLATE, "trialParameters", 0, "reference", "x"),
        "spec.trialTemplate.trialParameters[0].reference",
        "Invalid",
    ),
    (
        "a reference to no metadata",
        (*TEMPLATE, "trialParameters", 0, "reference", "${trialSpec.X}"),
        "spec.trialTemplate.trialParameters[0].reference",
        "Invalid",
    ),
    (
        "a parameter that is not in the template",
        (*TEMPLATE, "trialParameters", 0, "name", "x"),
        "spec.trialTemplate.trialParameters[0].name",
        "Invalid",
    ),
    (
        "a name in the template",
        (*TEMPLATE, "trialSpec", "metadata", {"name": "x"}),
        "spec.trialTemplate.trialSpec.metadata",
        "Invalid",
    ),
    (
        "no kind",
        (*TEMPLATE, "trialSpec", "kind", None),
        "spec.trialTemplate.trialSpec",
        "Required",
    ),
    (
        "a collector kind",
        (*COLLECTOR, {"collector": {"kind": "x"}}),
        "spec.metricsCollectorSpec.collector.kind",
        "Invalid",
    ),
    (
        "a relative file",
        (*COLLECTOR, FILE | {"source": {"fileSystemPath": {"path": "a"}}}),
        "spec.metricsCollectorSpec.source.fileSystemPath.path",
        "Required",
    ),
    (
        "a filter of JSON",
        (*COLLECTOR, FILE | {"source": {"fileSystemPath": {"format": "JSON"}, "filter": {}}}),
        "spec.metricsCollectorSpec.source.filter",
        "Invalid",
    ),
    (
        "a port that is none",
        (
            *COLLECTOR,
            {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {"port": "x"}}},
        ),
        "spec.metricsCollectorSpec.source.httpGet.port",
        "Invalid",
    ),
    (
        "a pattern with one group, on stdout too",
        (
            *COLLECTOR,
            {"collector": {"kind": "StdOut"}, "source": {"filter": {"metricsFormat": ["(a)"]}}},
        ),
        "spec.metricsCollectorSpec.source.filter.metricsFormat[0]",
        "Invalid",
    ),
    (
        "a scheme that is none",
        (*COLLECTOR, page(scheme="FTP")),
        "spec.metricsCollectorSpec.source.httpGet.scheme",
        "Invalid",
    ),
    (
        "a header's name with a blank",
        (*COLLECTOR, page(httpHeaders=[{"name": "a b", "value": "c"}])),
        "spec.metricsCollectorSpec.source.httpGet.httpHeaders[0].name",
        "Invalid",
    ),
    (
        "a header of two lines",
        (*COLLECTOR, page(httpHeaders=[{"name": "a", "value": "b\nc"}])),
        "spec.metricsCollectorSpec.source.httpGet.httpHeaders[0].value",
        "Invalid",
    ),
    (
        "a pattern whose parentheses are text",
        (*COLLECTOR, pattern(r"\(a\)(b)")),
        "spec.metricsCollectorSpec.source.filter.metricsFormat[0]",
        "Invalid",
    ),
    (
        "a pattern whose groups capture nothing",
        (*COLLECTOR, pattern("(?:a)(?:b)")),
        "spec.metricsCollectorSpec.source.filter.metricsFormat[0]",
        "Invalid",
    ),
    (
        "a pattern that looks around",
        (
            *COLLECTOR,
            {
                "collector": {"kind": "StdOut"},
                "source": {"filter": {"metricsFormat": ["(?=a)(b)(c)"]}},
            },
        ),
        "spec.metricsCollectorSpec.source.filter.metricsFormat[0]",
        "Invalid",
    ),
    ("a duration", ("spec", "maxDuration", "1 fortnight"), "spec.maxDuration", "Invalid"),
    (
        *("a service account", ("spec", "trialServiceAccount", "team:x")),
        *("spec.trialServiceAccount", "Invalid"),
    ),
    ("no improvement", ("spec", "stopWhen", {}), "spec.stopWhen.noImprovement", "Required"),
    ("onLost", ("spec", "trialPolicy", {"onLost": "x"}), "spec.trialPolicy.onLost", "Invalid"),
    ("keep", ("spec", "checkpoint", {"keep": "x"}), "spec.checkpoint.keep", "Invalid"),
    (
        "a known point out of range",
        ("spec", "initialTrials", [{"assignments": {"lr": 9}}]),
        "spec.initialTrials[0].assignments.lr",
        "Invalid",
    ),
    (
        "a known point in a range that has no end",
        (
            "spec",
            {
                **BASE["spec"],
                "parameters": [
                    {
                        **BASE["spec"]["parameters"][0],
                        "feasibleSpace": {"min": "1", "max": "inf", "step": "1"},
                    }
                ],
                "initialTrials": [{"assignments": {"lr": 3}}],
            },
        ),
        "spec.parameters[0].feasibleSpace.max",
        "Invalid",
    ),
    (
        "a known value that is none",
        (
            "spec",
            {
                **BASE["spec"],
                "initialTrials": [{"assignments": {"lr": 0.1}, "observation": {"loss": math.inf}}],
            },
        ),
        "spec.initialTrials[0].observation.loss",
        "Invalid",
    ),
    (
        "retries that no float counts",
        ("spec", "trialPolicy", {"retries": -(10**400)}),
        "spec.trialPolicy.retries",
        "Invalid",
    ),
    (
        "an entry that no double holds",
        (*PARAMETER, {**discrete("1", "1e9999999")}),
        "spec.parameters[0].feasibleSpace.list[1]",
        "Invalid",
    ),
    (
        "a condition on a range",
        (
            "spec",
            "parameterConditions",
            [{"parameter": "lr", "when": {"parameter": "lr", "in": ["1"]}}],
        ),
        "spec.parameterConditions[0].when.parameter",
        "Invalid",
    ),
    ("an unknown field", ("spec", "maxTrialCout", 3), "spec.maxTrialCout", "Unknown"),
]


@pytest.mark.parametrize(
    ("change", "where", "kind"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_a_wrong_experiment_is_refused_with_the_path_and_kind_of_the_fault(change, where, kind):
    assert (where, kind) in {(fault.path, fault.kind) for fault in faults(changed(change))}


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("numLayers", 2**31, "numLayers"),
        ("inputSizes", [3, 2**31], "inputSizes[1]"),
        ("outputSizes", [-(2**31) - 1], "outputSizes[0]"),
    ],
)
def test_a_size_of_a_network_is_refused_that_no_plug_in_can_be_told(field, value, where):
    graph = {"numLayers": 2, "inputSizes": [2**31 - 1], "outputSizes": [10], field: value}
    nas = {"graphConfig": graph, "operations": [{"operationType": "skip"}]}
    document = changed(("spec", "parameters", None), ("spec", "nasConfig", nas))
    of_nas = [each.path for each in faults(document) if "nasConfig" in each.path]
    assert of_nas == [f"spec.nasConfig.graphConfig.{where}"]


def test_an_unknown_field_is_answered_with_the_known_one():
    (fault,) = faults(changed(("spec", "maxTrialCout", 3)))

    assert fault.remedy == "did you mean maxTrialCount?"


def test_an_error_of_the_objective_hides_no_other():
    wrong = changed(("spec", "objective", None), ("spec", "maxTrialCount", 0))

    assert {"spec.objective", "spec.maxTrialCount"} <= {fault.path for fault in faults(wrong)}


def test_parallel_trials_left_out_fit_the_budget():
    document = changed(("spec", "parallelTrialCount", None), ("spec", "maxTrialCount", 2))
    document["spec"].pop("maxFailedTrialCount")

    assert parse(document).spec.parallel_trial_count == 2


def test_an_absent_resume_policy_stays_absent():
    assert "resumePolicy" not in parse(changed(("spec", "resumePolicy", None))).write()["spec"]
