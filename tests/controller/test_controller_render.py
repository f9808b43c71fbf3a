"""What a template and a point become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.api.errors import Invalid
from tunewright.controller.render import Template, TrialIdentity, TrialParameter, render

TRIAL = TrialIdentity("mnist-abc", "team")
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"labels": {"team": "blue"}}}
X = "${trialParameters.x}"


def rendered(source, point, parameters=()):
    named = tuple(TrialParameter(*pair) for pair in parameters)
    return render(Template(source, named), point, TRIAL)


def one(value, point, parameters=(), *, key="field"):
    return rendered({**JOB, "spec": {key: value}}, point, parameters)["spec"][key]


@pytest.mark.parametrize(
    ("written", "point", "becomes"),
    [
        pytest.param("--lr=${trialParameters.lr}", {"lr": 0.01}, "--lr=0.01", id="within text"),
        pytest.param(
            "${trialParameters.a}${trialParameters.b}", {"a": 1, "b": 2}, "12", id="side by side"
        ),
        pytest.param("${trialParameters.n}", {"n": 3}, 3, id="a whole scalar stays a number"),
        pytest.param("${trialParameters.n}", {"n": 0.5}, 0.5, id="a whole double"),
        pytest.param("${trialParameters.n}", {"n": "4"}, 4, id="a listed number"),
        pytest.param("${trialParameters.n}", {"n": "sgd"}, "sgd", id="a listed word"),
        pytest.param("$HOME $${x} $(y)", {}, "$HOME $${x} $(y)", id="other dollars stay"),
        pytest.param("lr ${trialParameters.lr}", {"lr": 1e-5}, "lr 1e-05", id="a small number"),
    ],
)
def test_placeholders_stand_anywhere_in_a_scalar(written, point, becomes):
    value = one(written, point)
    assert value == becomes
    assert type(value) is type(becomes)


@pytest.mark.parametrize("key", ["command", "args", "value", "image"])
def test_a_whole_scalar_stays_text_where_the_field_is_text(key):
    assert one("${trialParameters.n}", {"n": 3}, key=key) == "3"


def test_each_argument_of_a_command_stays_text():
    assert one(["${trialParameters.n}", "x"], {"n": 3}, key="args") == ["3", "x"]


@pytest.mark.parametrize(
    ("word", "becomes"),
    [
        pytest.param('--arch="${trialParameters.a}"', "--arch=[['b']]", id="the whole value"),
        pytest.param('--arch="${trialParameters.a}" x', "--arch=\"[['b']]\" x", id="a part of it"),
        pytest.param('x="${trialParameters.a}"', "x=\"[['b']]\"", id="no option"),
        pytest.param('"${trialParameters.a}"', "\"[['b']]\"", id="a word of its own"),
        pytest.param("""'{"a": "${trialParameters.a}"}'""", """{"a": "[['b']]"}""", id="JSON"),
        pytest.param(
            """'{"a": 1}' > ${trialParameters.a}""", """'{"a": 1}' > [['b']]""", id="a line"
        ),
        pytest.param("'${trialParameters.a}'", "'[['b']]'", id="a word in single quotes"),
    ],
)
def test_quotes_that_a_shell_of_katibs_would_take_away_are_left_out(word, becomes):
    assert one([word], {"a": "[['b']]"}, key="args") == [becomes]


@pytest.mark.parametrize(
    ("container", "command"),
    [
        pytest.param({"command": [f"a '{X}' > d"]}, ["sh", "-c", "a '3' > d"], id="a line"),
        pytest.param({"command": [f"a {X}"], "args": ["c"]}, ["a 3"], id="with arguments"),
        pytest.param({"command": [f"a {X}", "c"]}, ["a 3", "c"], id="of several words"),
        pytest.param({"command": [f"a{X}"]}, ["a3"], id="one word"),
        pytest.param({"command": ["/my tools/a"]}, ["/my tools/a"], id="a path"),
    ],
)
def test_a_command_that_is_one_line_is_run_by_a_shell(container, command):
    assert one([container], {"x": 3}, key="containers")[0]["command"] == command


def test_labels_stay_text_and_variables_in_a_list_too():
    spec = {
        "labels": {"n": "${trialParameters.n}"},
        "env": [{"name": "N", "value": "${trialParameters.n}"}],
        "replicas": "${trialParameters.n}",
    }
    assert rendered({**JOB, "spec": spec}, {"n": 2})["spec"] == {
        "labels": {"n": "2"},
        "env": [{"name": "N", "value": "2"}],
        "replicas": 2,
    }


@given(st.text())
def test_a_value_comes_out_as_it_is_whatever_it_holds(value):
    assert one(["<${trialParameters.v}>"], {"v": value}, key="args") == [f"<{value}>"]


@pytest.mark.parametrize(
    ("reference", "becomes"),
    [
        ("${trialSpec.Name}", "mnist-abc"),
        ("${trialSpec.Namespace}", "team"),
        ("${trialSpec.Kind}", "Job"),
        ("${trialSpec.APIVersion}", "batch/v1"),
        ("${trialSpec.Labels[team]}", "blue"),
        ("learning_rate", "0.1"),
    ],
)
def test_a_trial_parameter_stands_for_a_parameter_or_for_metadata(reference, becomes):
    value = one("-${trialParameters.p}", {"learning_rate": 0.1}, [("p", reference)])
    assert value == f"-{becomes}"


def test_metadata_is_known_only_as_a_reference():
    assert one("${trialSpec.Name}", {}) == "${trialSpec.Name}"


def test_the_manifest_carries_the_trials_name_and_keeps_its_labels():
    assert rendered(JOB, {})["metadata"] == {
        "labels": {"team": "blue"},
        "name": "mnist-abc",
        "namespace": "team",
    }


@pytest.mark.parametrize(
    ("source", "parameters", "path"),
    [
        pytest.param(
            {"spec": {"a": ["${trialParameters.x}"]}},
            [],
            "spec.trialTemplate.trialSpec.spec.a[0]",
            id="a placeholder nobody knows",
        ),
        pytest.param(
            {},
            [("p", "nothing")],
            "spec.trialTemplate.trialParameters[0].reference",
            id="no source",
        ),
    ],
)
def test_what_stands_for_nothing_is_refused_with_its_path(source, parameters, path):
    with pytest.raises(Invalid) as refused:
        rendered(source, {"lr": 1}, parameters)
    assert refused.value.faults[0].path == path


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        pytest.param(["a", "--m=${trialParameters.m}", "b"], ["a", "b"], id="an option in a word"),
        pytest.param(["a", "--m", "${trialParameters.m}", "b"], ["a", "b"], id="in two words"),
        pytest.param(["a", "${trialParameters.m}"], ["a"], id="an argument"),
        pytest.param(["--n=1", "${trialParameters.m}"], ["--n=1"], id="after a whole option"),
        pytest.param(["--n", "${trialParameters.n}"], ["--n", "2"], id="what the point has stays"),
        pytest.param(["${trialParameters.n}${trialParameters.m}"], [], id="beside one that it has"),
        pytest.param("train ${trialParameters.m}.", "train .", id="within text"),
    ],
)
def test_a_parameter_that_a_point_does_not_have_stands_for_nothing(written, becomes):
    template = Template({**JOB, "spec": {"args": written}}, conditional=frozenset({"m"}))
    assert render(template, {"n": 2}, TRIAL)["spec"]["args"] == becomes


def test_a_variable_of_a_parameter_that_a_point_does_not_have_is_empty():
    source = {**JOB, "spec": {"env": [{"name": "M", "value": "${trialParameters.momentum}"}]}}
    named = (TrialParameter("momentum", "m"),)
    template = Template(source, named, frozenset({"m"}))
    assert render(template, {}, TRIAL)["spec"]["env"] == [{"name": "M", "value": ""}]


def test_a_name_that_is_no_parameter_at_all_is_refused_still():
    template = Template({**JOB, "spec": {"args": ["${trialParameters.x}"]}}, (), frozenset({"m"}))
    with pytest.raises(Invalid, match="nothing is known"):
        render(template, {}, TRIAL)
