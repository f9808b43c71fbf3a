"""The paths of success and failure conditions."""

import pytest
from tunewright.api.documents import load_texts
from tunewright.api.errors import Invalid
from tunewright.api.gjson import complaint


@pytest.mark.parametrize(
    "path",
    [
        'status.conditions.#(type=="Complete")#|#(status=="True")#',
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
        ('status.conditions.#(type="Complete")', "a ) is missing before '="),
        ("status.[@this", "a ] is missing before the end"),
        ("status.{a,b", "a } is missing before the end"),
        ("status.@thos", "there is no modifier '@thos' at character 8"),
        ("status.phase == 'Succeeded'", "what \" == 'Succeeded'\" at character 13 is to mean"),
        ("", "a key is missing before the end"),
    ],
)
def test_a_slip_is_named_with_its_place(path, said):
    assert said in (complaint(path) or "")


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
