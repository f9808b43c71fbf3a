"""Looking at a cluster's experiments, with a kubeconfig alone; Jobs are run by an actor."""

import pytest
from support.actors import Fate
from support.apiserver import NEEDED
from support.operated import experiment
from tunewright.controller.kube.resources import EXPERIMENTS, TRIALS

pytestmark = NEEDED


@pytest.fixture
def ended(on_cluster):
    """Type commands after an experiment of four trials has ended."""

    def play(scenario, **spec):
        async def whole(play, tunewright):
            await play.create(experiment(**spec))
            await play.ends()
            return await scenario(play, tunewright)

        return on_cluster(whole)

    return play


def waiting(point, attempt):
    return Fate(stays=True)


def test_a_file_is_run_and_followed_to_its_end(on_cluster):
    async def scenario(play, tunewright):
        return await tunewright("run", await tunewright.file(experiment()))

    done = on_cluster(scenario)
    assert done.code == 0, done.err
    assert "trial 3 Succeeded loss=" in done.out
    assert "e Succeeded after" in done.out
    assert "again: train --x=" in done.out


def test_the_same_file_again_shows_the_result_and_another_spec_is_refused(ended):
    async def scenario(play, tunewright):
        again = await tunewright("run", await tunewright.file(experiment()))
        other = await tunewright("run", await tunewright.file(experiment(maxTrialCount=9)))
        return again, other

    again, other = ended(scenario)
    assert (again.code, "e Succeeded after" in again.out) == (0, True)
    assert (other.code, "spec.maxTrialCount: 4 → 9" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        pytest.param(experiment(maxTrialCount=9), "spec.maxTrialCount: 4 → 9", id="taken"),
        pytest.param(
            {**experiment(), "metadata": {"name": "second", "finalizers": ["?"]}},
            "metadata.finalizers",
            id="refused by the server",
        ),
    ],
)
def test_of_several_none_is_created_where_one_cannot_be(on_cluster, second, said):
    async def scenario(play, tunewright):
        await play.create(experiment())
        first = await tunewright.file(experiment("first"), "first.yaml")
        done = await tunewright("run", first, await tunewright.file(second), "--detach")
        return done, await play.all(EXPERIMENTS)

    done, there = on_cluster(scenario, waiting)
    assert (done.code, said in done.err) == (2, True)
    assert [each["metadata"]["name"] for each in there] == ["e"]


def test_what_our_rules_and_then_the_servers_say_to_a_file_is_told(on_cluster):
    async def scenario(play, tunewright):
        wrong = experiment(maxTrialCount=-1)
        ours = await tunewright("validate", await tunewright.file(wrong))
        strange = experiment("Not_A_Name")
        theirs = await tunewright("validate", await tunewright.file(strange))
        fine = await tunewright("validate", await tunewright.file(experiment()))
        return ours, theirs, fine, await play.all(EXPERIMENTS)

    ours, theirs, fine, there = on_cluster(scenario)
    assert (ours.code, "spec.maxTrialCount" in ours.err) == (2, True)
    assert (theirs.code, "metadata.name" in theirs.err) == (2, True)
    assert (fine.code, there) == (0, [])


def test_experiments_are_listed_with_their_best(ended):
    async def scenario(play, tunewright):
        return await tunewright("get", "-o", "json"), await tunewright("get", "-o", "wide")

    listed, wide = ended(scenario)
    (item,) = listed.json
    assert (item["state"], item["trials"]["finished"]) == ("Succeeded", 4)
    assert item["best"]["value"] == min_of(item)
    assert item["best"]["name"] in wide.out


def min_of(item):
    return (item["best"]["parameters"]["x"] - 0.5) ** 2


def test_the_best_is_shown_with_the_command_of_its_own_job(ended):
    async def scenario(play, tunewright):
        best = await tunewright("best", "e", "-o", "json")
        command = await tunewright("best", "e", "--command")
        ranked = await tunewright("best", "e", "--top", "3", "-o", "json")
        return best.json, command.out, ranked.json

    best, command, ranked = ended(scenario)
    assert command == f"train --x={best['parameters']['x']!r}\n"
    assert ranked[0]["name"] == best["name"]
    assert [each["value"] for each in ranked] == sorted(each["value"] for each in ranked)


def test_an_experiment_is_described_with_conditions_and_the_clusters_events(ended):
    async def scenario(play, tunewright):
        return await tunewright("describe", "e"), await tunewright("describe", "e", "0")

    whole, trial = ended(scenario)
    assert "ExperimentMaxTrialsReached" in whole.out
    assert "Conditions" in whole.out
    assert "Events" in whole.out
    assert "Command:" in trial.out


def test_a_trial_is_found_by_its_index_though_a_plug_in_named_it(ended):
    async def scenario(play, tunewright):
        await by_hand(play, "named-by-a-plug-in", index=4, position=9)
        return await tunewright("describe", "e", "4")

    assert "named-by-a-plug-in" in ended(scenario).out


@pytest.mark.parametrize("owners", [[], [("Namespace", "e")]], ids=["no owner", "a stranger"])
def test_a_trial_of_no_experiment_is_none_and_the_message_says_so(ended, owners):
    async def scenario(play, tunewright):
        references = [
            {"apiVersion": "v1", "kind": kind, "name": name, "uid": "u"} for kind, name in owners
        ]
        await by_hand(play, "stray", references)
        return await tunewright("describe", "stray")

    told = ended(scenario)
    assert (told.code, "no experiment is called stray" in told.err) == (2, True)


async def by_hand(play, name, owners=None, **spec):
    """Create a Trial like the first one."""
    first = (await play.trials())[0]
    owned = {**first["metadata"], "name": name}
    kept = {key: owned[key] for key in ("name", "labels", "ownerReferences")}
    metadata = kept if owners is None else {**kept, "ownerReferences": owners}
    trial = {**first, "metadata": metadata, "spec": {**first["spec"], **spec}}
    await play.kube.create(TRIALS, play.namespace, trial)


def test_trials_and_metrics_are_listed_and_exported(ended):
    async def scenario(play, tunewright):
        trials = await tunewright("trials", "e", "--state", "Succeeded", "-o", "json")
        rows = await tunewright("export", "e", "--format", "json")
        metrics = await tunewright("metrics", "e", "best", "-o", "json")
        return trials.json, rows.json, metrics.json

    trials, rows, metrics = ended(scenario)
    assert [each["index"] for each in trials] == [0, 1, 2, 3]
    assert [row["metric.loss"] for row in rows] == [each["value"] for each in trials]
    assert metrics["metrics"]["loss"]["min"] == min(row["metric.loss"] for row in rows)


@pytest.mark.needs("mlflow")
def test_trials_become_runs_of_mlflow_with_the_values_that_count(ended, tmp_path):
    tracked = (tmp_path / "mlruns").as_uri()
    quiet = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}

    async def scenario(play, tunewright):
        return await tunewright(
            "export", "e", "--to", "mlflow", "--tracking-uri", tracked, env=quiet
        )

    done = ended(scenario)
    assert done.code == 0, done.err
    assert "4 new runs in MLflow" in done.err


def test_where_nothing_serves_single_values_the_summaries_are_shown(ended):
    async def scenario(play, tunewright):
        shown = await tunewright("metrics", "e", "--log")
        return shown, await tunewright("metrics", "e", "--log", "-o", "json")

    shown, for_programs = ended(scenario)
    assert "deploy/components/observations" in shown.err
    assert "loss" in shown.out
    assert (for_programs.code, for_programs.out) == (2, "")


def test_waiting_ends_as_the_experiment_does(ended):
    async def scenario(play, tunewright):
        fine = await tunewright("wait", "e", "--for", "succeeded")
        return fine.code, (await tunewright("wait", "e", "--for", "failed")).code

    assert ended(scenario) == (0, 1)


def test_waiting_gives_up_in_time(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        return await tunewright("wait", "e", "--timeout", "1s")

    late = on_cluster(scenario, waiting)
    assert (late.code, "after 1s" in late.err) == (1, True)


def test_what_an_experiment_waits_for_is_explained(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(suspend=True))
        await play.until(lambda: waits(play))
        return await tunewright("explain", "e")

    assert "suspended: no trial starts" in on_cluster(scenario).out


async def waits(play):
    return (await play.get()).get("status", {}).get("waitsFor")


def test_why_an_experiment_ended_is_explained_with_a_remedy(ended):
    async def scenario(play, tunewright):
        return await tunewright("explain", "e")

    said = ended(scenario).out
    assert said.startswith("Succeeded: Experiment has succeeded because max trial count")
    assert "remedy: raise maxTrialCount to continue" in said


def test_a_trial_without_a_pod_has_no_log_and_the_message_says_how_to_keep_one(ended):
    async def scenario(play, tunewright):
        return await tunewright("logs", "e", "best")

    gone = ended(scenario)
    assert (gone.code, "retain: true" in gone.err) == (2, True)
