"""The paths of success and failure conditions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tunewright.api.documents import load_texts
from tunewright.api.errors import Invalid
from tunewright.api.gjson import MISSING, complaint, evaluate


@pytest.mark.parametrize(
    "path",
    [
        'status.conditions.#(type=="Complete")#|#(status=="True")#',
        'status.conditions.#( type == "Complete" )#|#( status=="True" )#',
        "status.conditions.#( ok )#",
        'status.[@this].#(phase=="Succeeded")#',
        "status.[@this].#(succeeded==1)",
        'status.conditions.#(type == "Succeeded")#|#(status=="True")#|#(reason=="Completed")#',
        "status.conditions.#(nested.#(a>=1.5e3))#.b",
        "metadata.labels.app\\.kubernetes\\.io/name",
        "status.re?dy*",
        'status.{"phase":phase,reason}|@ugly',
        'status.list.#(%"done*")#',
        "status.list.#",
        'status.@flatten:{"deep":true}',
        "@this",
        "status.conditions.#(ok==true)",
        'status.conditions.#(type="Complete")',
        "status.conditions.#(ok==~*)",
    ],
)
def test_a_path_that_gjson_understands_is_accepted(path):
    assert complaint(path) is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ('status.conditions.#(type=="Complete"', "a ) is missing before the end"),
        ("status.conditions.#(type==Complete)#", 'text stands in quotes, "Complete"'),
        ("status..conditions", "a key is missing before '.conditions' at character 8"),
        ("status.", "a key is missing before the end"),
        ("status.conditions.#(type='Complete')", "a value is missing before \"'Complete')"),
        ("a.@dig", "a path, @dig:name, is missing before the end"),
        ('a.@flatten:{"deep":yes}', "is no JSON"),
        (".".join(["a"] * 101), "it has more than 100 components"),
        ("status.[@this", "a ] is missing before the end"),
        ("status.{a,b", "a } is missing before the end"),
        ("status.@thos", "there is no modifier '@thos' at character 8"),
        ("status.phase == 'Succeeded'", "what \" == 'Succeeded'\" at character 13 is to mean"),
        ("", "a key is missing before the end"),
    ],
)
def test_a_slip_is_named_with_its_place(path, said):
    assert said in (complaint(path) or "")


CONDITIONS = [
    {"type": "Suspended", "status": "False", "reason": "Resumed"},
    {"type": "Complete", "status": "True", "reason": "Done", "message": "all of it"},
    {"type": "Failed", "status": "False"},
]
WORKLOAD = {
    "metadata": {"labels": {"app.kubernetes.io/name": "digits"}},
    "status": {"phase": "Succeeded", "succeeded": 1, "conditions": CONDITIONS, "ready": "1/1"},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ('status.conditions.#(type=="Complete")#|#(status=="True")#', [CONDITIONS[1]]),
        ('status.conditions.#(type=="Failed")#|#(status=="True")#', []),
        ('status.conditions.#(type=="Complete")#|#(status=="True")#|#(reason=="Done")#|0.message',
         "all of it"),
        ('status.[@this].#(phase=="Succeeded")#', [WORKLOAD["status"]]),
        ("status.[@this].#(succeeded==1)", WORKLOAD["status"]),
        ("status.[@this].#(succeeded>1)", MISSING),
        ('status.conditions.#(type=="Complete")', CONDITIONS[1]),
        ('status.conditions.#(type=="Complete").reason', "Done"),
        ("status.conditions.#(message)#.type", ["Complete"]),
        ("metadata.labels.app\\.kubernetes\\.io/name", "digits"),
        ('status.{"phase":phase,succeeded}', {"phase": "Succeeded", "succeeded": 1}),
        ("spec.replicas", MISSING),
    ],
)  # fmt: skip
def test_a_condition_finds_what_the_workload_says(path, found):
    assert evaluate(path, WORKLOAD) == found


FRIENDS = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "fav.movie": "Deer Hunter",
    "children": ["Sara", "Alex", "Jack"],
    "friends": [
        {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]},
        {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]},
        {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]},
    ],
    "seen": [{"a": 1, "b": "1"}, {"a": 2, "b": False}, {"a": 3, "b": None}, {"a": 4}],
    "text": '{"a": [1]}',
    "deep": [1, [2], [3, [4, []]]],
    "columns": {"x": [1, 2], "y": [3, 4, 5], "z": 0},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        # Keys, indices, wildcards, escapes.
        ("name.last", "Anderson"),
        ("name|last", "Anderson"),
        ("children.1", "Alex"),
        ("children.7", MISSING),
        ("children.-1", MISSING),
        ("child*.2", "Jack"),
        ("c?ildren.0", "Sara"),
        ("*.last", "Anderson"),
        ("fav\\.movie", "Deer Hunter"),
        ("fav\\.mo*e", "Deer Hunter"),
        ("name\\*", MISSING),
        ("age.first", MISSING),
        # Arrays.
        ("friends.#", 3),
        ("friends.#.age", [44, 68, 47]),
        ("friends.#.nets.#", [3, 2, 2]),
        ("friends.#.nope", []),
        ("friends.#.first|0", "Dale"),
        ("friends.#.first.0", []),
        ("name.#", MISSING),
        # Queries.
        ('friends.#(last=="Murphy").first', "Dale"),
        ('friends.#(last="Murphy")#.first', ["Dale", "Jane"]),
        ('friends.#(last == "Murphy")#|first', MISSING),
        ('friends.#(last=="Murphy")#|1.first', "Jane"),
        ('friends.#(last=="Murphy")#|#', 2),
        ('friends.#(last=="Murphy")#.#', []),
        ('friends.#(last!="Murphy")#.first', ["Roger"]),
        ('friends.#(last=="Nobody")', MISSING),
        ('friends.#(last=="Nobody")#', []),
        ("friends.#(age>45)#.last", ["Craig", "Murphy"]),
        ("friends.#(age<=44)#.first", ["Dale"]),
        ('friends.#(age=="44").first', "Dale"),
        ('friends.#(first>="J")#.first', ["Roger", "Jane"]),
        ('friends.#(first%"D*").last', "Murphy"),
        ('friends.#(first!%"D*").last', "Craig"),
        ('friends.#(age%"4*")#', []),
        ('children.#(%"?a*")#', ["Sara", "Jack"]),
        ('children.#(!%"*a*")', "Alex"),
        ('friends.#(nets.#(=="fb"))#.first', ["Dale", "Roger"]),
        ("seen.#(b)#.a", [1, 2, 3]),
        ("seen.#(b==false)#.a", [2]),
        ("seen.#(b==null)#.a", []),
        ("seen.#(b==~true)#.a", [1]),
        ("seen.#(b==~false)#.a", [2, 3, 4]),
        ("seen.#(b==~null)#.a", [3, 4]),
        ("seen.#(b==~*)#.a", [1, 2, 3]),
        ("seen.#(b!=~*)#.a", [4]),
        # Modifiers.
        ("children.@reverse.0", "Jack"),
        ("name.@reverse.@keys", ["last", "first"]),
        ("name.@keys", ["first", "last"]),
        ("name.@values", ["Tom", "Anderson"]),
        ("nope.@keys", []),
        ("nope.more.@keys", MISSING),
        ("deep.@flatten", [1, 2, 3, [4, []]]),
        ('deep.@flatten:{"deep":true}', [1, 2, 3, 4]),
        ("friends.@join.first", "Jane"),
        ('friends.@join:{"preserve":true}.first', "Dale"),
        ("text.@fromstr.a.0", 1),
        ("name.@fromstr.first", "Tom"),
        ("children.0.@fromstr", MISSING),
        ("children.@tostr", '["Sara","Alex","Jack"]'),
        ("columns.@group", [{"x": 1, "y": 3}, {"x": 2, "y": 4}, {"y": 5}]),
        ("children.@group", MISSING),
        ("@dig:nets.0", ["ig", "fb", "ig"]),
        ("@dig:first|#", 4),
        ("@this.age", 37),
        ("name|@valid|@ugly|@pretty|first", "Tom"),
        # Multipaths.
        ("[age,name.first,nope]", [37, "Tom"]),
        ('{name.first,"years":age,old:age,children.#}',
         {"first": "Tom", "years": 37, "old": 37, "_": 3}),
        ("friends.#.{first,age}|1", {"first": "Roger", "age": 68}),
        ("[age].0", 37),
        ("nope.[age]", []),
    ],
)  # fmt: skip
def test_a_path_finds_what_gjson_finds(path, found):
    assert complaint(path) is None
    assert evaluate(path, FRIENDS) == found


def test_what_is_no_path_finds_nothing():
    assert evaluate("status..phase", WORKLOAD) is MISSING


def test_a_path_that_asks_for_no_end_of_values_finds_nothing_and_does_not_hang():
    assert evaluate(".".join(["[@this,@this]"] * 33) + ".#", {}) == 2
    assert evaluate(".".join(["[@this,@this]"] * 30) + ".@tostr", {}) is MISSING
    assert evaluate(".".join(["[@this,@this]"] * 30 + ["#"] * 30), {}) is MISSING


def test_a_pattern_of_many_stars_is_matched_in_no_time():
    text = {"text": ["a" * 5000]}
    assert evaluate('text.#(%"' + "*a" * 200 + 'b")', text) is MISSING
    assert evaluate('text.#(%"' + "*a" * 200 + '*").@this', text) == "a" * 5000


KEYS = st.sampled_from(["a", "b", "status", "conditions", "type", ""])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
)
PIECES = [
    *("a", "b", "status", "conditions", "*", "?", "0", "#", "#(", ")", ")#", "[", "]", "{", "}"),
    *(".", "|", ",", "@this", "@keys", "@flatten", "@tostr", "@fromstr", "@group", "@dig:a"),
    *("==", "!=", "<", ">=", "%", "!%", '"True"', "1", "~true", "~*", "null", "\\", '"', ":", "("),
]
PATHS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
WHOLE = st.sampled_from(
    [
        'status.conditions.#(type=="True")#|#(a=="True")#',
        'status.[@this].#(a=="True")#',
        "*.#(*>=1)#.{a,b}|@join|@values",
        "@dig:a.#(!%~true)|@flatten|@group",
        "conditions.#(#(a<1)#==~true).@reverse|@tostr|@fromstr",
    ]
)


@settings(deadline=None)
@given(PATHS | WHOLE, DOCUMENTS)
def test_no_path_and_no_document_is_too_odd(path, document):
    evaluate(path, document)
    assert complaint(path) is not None or complaint(path) == complaint(f" {path} ")


def test_a_condition_with_a_slip_is_refused_at_validation_with_path_and_remedy():
    text = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: slip}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
  trialTemplate:
    successCondition: status.conditions.#(type==Complete)#
    failureCondition: status.conditions.#(type=="Failed")#
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec: {template: {spec: {containers: [{name: main, command: ["${trialParameters.x}"]}]}}}
"""
    with pytest.raises(Invalid) as caught:
        load_texts([("slip.yaml", text)])
    (fault,) = caught.value.faults
    assert (fault.path, fault.line) == ("spec.trialTemplate.successCondition", 10)
    assert "a value is missing" in fault.message
    assert "status.conditions.#(type" in fault.remedy
