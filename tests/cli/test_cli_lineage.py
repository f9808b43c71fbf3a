"""A population on this machine: who goes on from whom, as people are shown it."""

from pathlib import Path

import pytest

SCRIPT = """
: ${trialParameters.x}
state=$TUNEWRIGHT_CHECKPOINT_DIR/state
[ -e $state ] || echo 0 > $state
echo $(($(cat $state) + 1)) > $state.new && mv $state.new $state
echo "loss=-$(cat $state)"
"""
SETTINGS = {
    "suggestion_trial_dir": "/opt/katib/data",
    "n_population": "5",
    "truncation_threshold": "0.2",
}


def population(document):
    spec = document["spec"] = {**document["spec"], "maxTrialCount": 15, "parallelTrialCount": 5}
    settings = [{"name": name, "value": value} for name, value in SETTINGS.items()]
    spec["algorithm"] = {"algorithmName": "pbt", "algorithmSettings": settings}
    spec["checkpoint"] = {}
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["sh", "-c", SCRIPT]


@pytest.fixture
def ran(tunewright, experiment):
    result = tunewright("run", experiment(population))
    assert result.code == 0, result.err
    return tunewright


def test_generation_and_parent_are_shown(ran):
    trials = ran("trials", "echo", "-o", "json").json
    by_name = {trial["name"]: trial for trial in trials}
    assert [trial["generation"] for trial in trials] == [0] * 5 + [1] * 5 + [2] * 5
    for trial in trials:
        parent = by_name.get(trial["parent"])
        assert (parent and parent["generation"] + 1) == (trial["generation"] or None)
        assert trial["value"] == -(trial["generation"] + 1)  # it went on from its parent
    header = ran("trials", "echo").out.splitlines()[0]
    assert "GENERATION" in header
    assert "PARENT" in header

    last = trials[-1]
    first = by_name[last["parent"]]["parent"]
    described = ran("describe", "echo", "14")
    assert f"{first} → {last['parent']} → {last['name']}" in described.out
    lineage = ran("describe", "echo", "14", "-o", "json").json["lineage"]
    assert lineage == [first, last["parent"], last["name"]]


def test_where_no_trial_goes_on_from_another_there_are_no_such_columns(tunewright, experiment):
    tunewright("run", experiment())
    assert "PARENT" not in tunewright("trials", "echo").out
    assert "Lineage" not in tunewright("describe", "echo", "0").out


def as_katib_has_it(document):
    """A path in the algorithm's settings, and a program that knows nothing else."""
    population(document)
    spec = document["spec"]
    del spec["checkpoint"]
    spec["resumePolicy"] = "FromVolume"
    pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"][-1] = SCRIPT.replace(
        "$TUNEWRIGHT_CHECKPOINT_DIR", "/opt/katib/data"
    )


@pytest.mark.needs("mount-namespaces")
def test_trying_katibs_file_leaves_no_checkpoint_on_this_machine(tunewright, experiment):
    result = tunewright("try", experiment(as_katib_has_it))

    assert result.code == 0, result.err
    assert not Path("/opt/katib").exists()


@pytest.mark.needs("mount-namespaces")
def test_katibs_file_runs_as_it_is(tunewright, experiment):
    result = tunewright("run", experiment(as_katib_has_it))

    assert result.code == 0, result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["value"] for trial in trials] == [-1] * 5 + [-2] * 5 + [-3] * 5
    kept = {path.parent.parent.name for path in tunewright.folder.rglob("checkpoint/state")}
    assert {trial["name"] for trial in trials[5:]} <= kept  # the last two generations
    assert len(kept) < 15
