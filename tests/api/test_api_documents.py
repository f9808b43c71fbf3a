"""Files: lines, several documents, and input that is hostile."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tunewright.api.documents import load, load_texts, parse, with_template
from tunewright.api.errors import Invalid
from tunewright.api.yaml_source import read, write

N = "${trialParameters.n}"

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)

LONG = "x" * 200_000

HOSTILE = [
    ("a bomb of anchors", BOMB, "too large once its anchors are expanded"),
    (
        "a bomb of one long text",
        f"a: [&a {LONG}, {', '.join(['*a'] * 30)}]",
        "too large once its anchors are expanded",
    ),
    (
        "a bomb of one long key",
        f"a: [&a {{? {LONG} : 1}}, {', '.join(['*a'] * 30)}]",
        "too large once its anchors are expanded",
    ),
    ("an anchor in itself", "a: &a [*a]", "contains itself"),
    ("a nest", "[" * 5000, "nested too deeply"),
    ("a tab", "a:\n\tb: 1", "tabs cannot be used for indentation"),
    ("nothing", "", "the file is empty"),
    ("empty documents", "---\n---\n", "the file is empty"),
    ("a list at the top", "- a", "must be a mapping, not a list"),
    ("a word", "x", "must be a mapping"),
    ("Latin 1", b"a: \xe9", "not UTF-8"),
    ("a control character", "a: \x00", "cannot stand in YAML"),
    ("a key twice", "a: 1\na: 2", "duplicate key, first in line 1"),
    ("a tag that makes objects", "a: !!python/object:os.system x", "cannot be read"),
    ("a tag of a truth value on a word", "a: !!bool maybe", "'maybe' cannot be read"),
    ("a tag of a number on nothing", 'a: !!int ""', "'' cannot be read"),
    ("a tag of a fraction on nothing", 'a: !!float ""', "'' cannot be read"),
    ("a tag of a moment on a word", "a: !!timestamp soon", "'soon' cannot be read"),
    ("a number of many digits", f"a: {'9' * 5000}", f"'{'9' * 37}...' cannot be read"),
    ("an escape beyond Unicode", 'a: "\\U00110000"', "an escape names no character"),
    ("half a character", 'a: "\\ud83d"', "cannot be read"),
    ("half a character in a key", '"\\ud83d": a', "a key holds half a character"),
    ("a bare yes", "kind: X\na: yes", "is true or false to some YAML parsers"),
    ("no kind", "a: 1", "must be specified"),
    ("an Experiment that is a number", "kind: Experiment\nspec: 3", "must be a mapping, not 3"),
    ("no Experiment", "kind: ConfigMap", "no Experiment is among the documents"),
]


def refused(*texts):
    with pytest.raises(Invalid) as caught:
        load_texts(texts)
    return caught.value.faults


@pytest.mark.parametrize(
    ("text", "message"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE]
)
def test_hostile_input_is_a_fault_of_its_file(text, message):
    faults = refused(("f.yaml", text))

    assert any(message in fault.message for fault in faults)
    assert {fault.file for fault in faults} == {"f.yaml"}


EXPERIMENT = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: first}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  parameters:
    - name: lr
      parameterType: double
      feasibleSpace:
        min: 0.1
        max: 1
  trialTemplate:
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: main
                command: ["--lr=${trialParameters.lr}"]
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_line_endings_and_marks_do_not_matter(ending, mark):
    text = mark + EXPERIMENT.replace("\n", ending).encode()

    assert load_texts([("f", text)]).experiments[0].metadata.name == "first"


def test_every_fault_of_every_document_comes_with_its_line():
    second = EXPERIMENT.replace("first", "second").replace("max: 1", "max: 0.01")
    text = f"{EXPERIMENT.replace('minimize', 'least')}---\n{second}"

    found = {(fault.path, fault.line) for fault in refused(("f.yaml", text))}

    assert found == {("spec.objective.type", 5), ("spec.parameters[0].feasibleSpace.max", 33)}


def test_one_name_twice_is_refused():
    (fault,) = refused(("a.yaml", EXPERIMENT), ("b.yaml", EXPERIMENT))

    assert (fault.path, fault.kind, fault.file) == ("metadata.name", "Duplicate", "b.yaml")


def test_json_is_yaml():
    (experiment,) = load_texts([("f", EXPERIMENT)]).experiments

    assert load_texts([("f.json", experiment.model_dump_json(by_alias=True, exclude_unset=True))])


def test_a_character_that_json_writes_in_halves_is_read_whole():
    text = EXPERIMENT.replace("name: first", 'name: first, annotations: {a: "\\ud83d\\ude00"}')

    assert load_texts([("f", text)]).experiments[0].metadata.annotations == {"a": "😀"}


def test_half_a_character_in_a_document_that_is_sent_is_a_fault_where_it_stands():
    document = {"kind": "Experiment", "metadata": {"annotations": {"\ud83d": "\ud83d"}}}

    with pytest.raises(Invalid) as caught:
        parse(document)

    assert str(caught.value).encode()
    assert {fault.path for fault in caught.value.faults} == {"metadata.annotations.\\ud83d"}


def test_a_secret_beside_the_experiment_is_kept():
    secret = "---\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"

    bundle = load_texts([("f", EXPERIMENT + secret)])

    assert bundle.values("Secret", "s", "default")["stringData"] == {"a": "b"}


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(Invalid, match="cannot be read"):
        load([tmp_path / "none.yaml"])


def templated(text):
    """Return an Experiment's template whose ConfigMap holds a text, and the faults."""
    there = {"configMapName": "a", "configMapNamespace": "n", "templatePath": "t"}
    held = {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"t": text}}
    document = {"spec": {"trialTemplate": {"configMap": there}}}
    filled, faults = with_template(document, [held])
    return filled["spec"]["trialTemplate"].get("trialSpec"), [str(fault) for fault in faults]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        pytest.param("n: ${trialParameters.n}", {"n": N}, id="a block"),
        pytest.param("args: [--n, ${trialParameters.n}]", {"args": ["--n", N]}, id="a list"),
        pytest.param("{n: --n=${trialParameters.n}}", {"n": f"--n={N}"}, id="a table"),
        pytest.param('{"n": ${trialParameters.n}}', {"n": N}, id="bare in JSON"),
        pytest.param('{"n": "${trialParameters.n}"}', {"n": N}, id="quoted in JSON"),
        pytest.param("${trialParameters.n}: [1]", {N: [1]}, id="a key"),
        pytest.param(
            "a: [${trialParameters.n}${trialParameters.m}, tunewrightplaceholder0x]",
            {"a": [f"{N}${{trialParameters.m}}", "tunewrightplaceholder0x"]},
            id="two, and a word that might be one",
        ),
        pytest.param("b: &b {n: 1}\n<<: *b\nn: ${trialParameters.n}", {"b": {"n": 1}, "n": N},
                     id="merged keys"),
    ],
)  # fmt: skip
def test_placeholders_stand_anywhere_in_the_text_of_a_config_map(text, becomes):
    assert templated(text) == (becomes, [])


def test_a_text_of_a_config_map_that_is_no_template_is_refused_in_its_own_words():
    (twice,) = templated(f"{N}: 1\n{N}: 2")[1]
    (broken,) = templated("a: [")[1]
    (listed,) = templated("- a")[1]

    assert "duplicate key" in twice
    assert "not YAML" in broken
    assert "it must be one mapping" in listed


def test_a_config_map_that_is_not_among_the_files_is_a_fault_unless_it_is_elsewhere():
    lines = EXPERIMENT.splitlines()
    text = "\n".join(lines[: lines.index("    trialSpec:")]) + (
        "\n    primaryContainerName: main"
        "\n    configMap: {configMapName: a, configMapNamespace: b, templatePath: c}\n"
    )

    (fault,) = refused(("f", text))

    assert fault.path == "spec.trialTemplate.configMap.configMapName"
    assert load_texts([("f", text)], elsewhere=True).experiments


@pytest.mark.parametrize(
    "text", ["1e-5", "1E3", "+1", ".5", "08", "0o17", "0X1F", "0b1", "1_000", "y", "N", "on", "~"]
)
def test_a_text_that_some_reader_takes_for_something_else_is_written_in_quotes(text):
    assert write([text]) == f"- '{text}'\n"


@given(st.text() | st.from_regex(r"\A[-+.0-9eExob_]{1,6}\Z"))
@example("one\x85two")
@example("one\u2028two\n")
def test_what_is_written_is_read_as_it_was(text):
    assume(text == text.encode("utf-8", "ignore").decode())
    (source,), faults = read(write({"text": [text]}))

    assert (source.value, faults) == ({"text": [text]}, [])


@pytest.mark.parametrize("levels", [300, 900, 20_000])
def test_a_value_of_too_many_levels_is_a_fault_as_in_a_file(levels):
    nested: object = 1
    for _ in range(levels):
        nested = [nested]

    with pytest.raises(Invalid, match="nested too deeply"):
        parse({"kind": "Experiment", "spec": {"maxTrialCount": nested}})
