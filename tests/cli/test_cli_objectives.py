"""Several objectives, from the file to what is shown."""

import pytest

SCRIPT = (
    "awk 'BEGIN { x = ${trialParameters.x}; "
    'if (x > 0.9) print "loss=0.01 gain=nan"; '
    'else printf "loss=%.9f gain=%.9f\\n", x * x, 1 - (x - 0.5) * (x - 0.5) }\''
)


def several(algorithm, **more):
    """Return a change of the experiment: a small loss and a great gain, with x at 0 and 0.5."""

    def change(document):
        spec = document["spec"] = {**document["spec"], "maxTrialCount": 12, **more}
        spec["algorithm"] = {"algorithmName": algorithm}
        spec["seed"] = 3
        spec["objectives"] = [{"metric": "gain", "type": "maximize"}]
        pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
        pod["containers"][0]["command"] = ["sh", "-c", SCRIPT]

    return change


def test_the_best_of_several_objectives_are_a_front_without_what_is_nan(tunewright, experiment):
    ran = tunewright("run", experiment(several("random")))
    assert ran.code == 0, ran.err

    best = tunewright("best", "echo", "-o", "json").json
    rows = tunewright("export", "echo", "--format", "json").json
    numbers = [
        (row["metric.loss"], -row["metric.gain"])
        for row in rows
        if isinstance(row["metric.gain"], float)
    ]
    shown = sorted((each["values"]["loss"], -each["values"]["gain"]) for each in best["front"])
    bettered = [
        mine
        for mine in numbers
        if any(other[0] < mine[0] and other[1] < mine[1] for other in numbers)
    ]
    assert len(numbers) < len(rows)
    assert shown == sorted(set(numbers) - set(bettered))
    assert all(each["parameters"]["x"] <= 0.9 for each in best["front"])
    assert "Pareto front" in tunewright("best", "echo").out

    described = tunewright("describe", "echo", "-o", "json").json["pareto"]
    assert described["trade_offs"] == best["front"]
    assert described["volume"] > 0
    assert f"{len(shown)} trials, hypervolume" in tunewright("describe", "echo").out


@pytest.mark.parametrize("algorithm", ["nsga2", "tpe"])
def test_a_constraint_keeps_a_trade_off_out_of_the_front(tunewright, experiment, algorithm):
    bounds = [{"metric": "loss", "min": "0.02"}]
    ran = tunewright("run", experiment(several(algorithm, constraints=bounds)))

    best = tunewright("best", "echo", "-o", "json").json
    assert ran.code == 0, ran.err
    assert best["front"]
    assert min(each["values"]["loss"] for each in best["front"]) >= 0.02


def test_who_cannot_weigh_several_objectives_says_so_before_the_first_trial(tunewright, experiment):
    refused = tunewright("run", experiment(several("bayesianoptimization")))

    assert refused.code == 2
    assert "spec.objectives" in refused.err
    assert "optimizes one metric, not several" in refused.err
