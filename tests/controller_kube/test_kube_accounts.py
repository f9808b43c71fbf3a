"""Trials created as service accounts of their namespaces, by a real API server."""

import pytest
from support.actors import JOBS
from support.apiserver import NEEDED, kubeconfig_of
from support.operated import experiment
from tunewright.controller.kube.client import connect
from tunewright.controller.kube.resources import EVENTS

pytestmark = NEEDED

ALL_BUT_IMPERSONATE = [
    {
        "apiGroups": ["*"],
        "resources": ["*"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    }
]


@pytest.fixture
def within(within):
    """Play a scenario in a namespace whose operator impersonates."""
    return lambda scenario: within(scenario, impersonates=True)


def make_account(server, namespace, name, *, creates=""):
    """Make a service account that may create one kind, or nothing."""
    server.kubectl("create", "serviceaccount", name, "-n", namespace)
    if creates:
        who = f"--serviceaccount={namespace}:{name}"
        verbs = ("--verb=create", f"--resource={creates}")
        server.kubectl("create", "role", name, *verbs, "-n", namespace)
        server.kubectl("create", "rolebinding", name, f"--role={name}", who, "-n", namespace)


def test_a_trial_is_created_as_the_account_that_its_experiment_names(api_server, within):
    async def scenario(play):
        make_account(api_server, play.namespace, "trials", creates="jobs.batch")
        play.operate()
        await play.create(experiment(trialServiceAccount="trials"))
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


@pytest.mark.parametrize(
    ("creates", "named", "said"),
    [
        ("configmaps", "trials", "service account trials may not create jobs.batch in namespace"),
        ("jobs.batch", "nobody", "there is no service account nobody in namespace"),
        ("jobs.batch", None, "there is no service account default in namespace"),
    ],
)
def test_an_account_that_is_not_there_or_may_not_ends_the_experiment_before_its_first_trial(
    api_server, within, creates, named, said
):
    async def scenario(play):
        make_account(api_server, play.namespace, "trials", creates=creates)
        play.operate()
        await play.create(experiment(trialServiceAccount=named))
        return (await play.ends())["status"], await play.trials(), await play.all(JOBS)

    status, trials, jobs = within(scenario)
    last = status["conditions"][-1]
    assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
    assert f"spec.trialServiceAccount: {said}" in last["message"]
    assert not trials
    assert not jobs


def test_a_right_that_is_taken_away_leaves_the_trials_waiting_and_they_say_why(api_server, within):
    async def scenario(play):
        make_account(api_server, play.namespace, "trials", creates="jobs.batch")
        play.operate()
        await play.create(experiment(trialServiceAccount="trials", parallelTrialCount=1))
        await play.until(play.trials)
        api_server.kubectl("delete", "rolebinding", "trials", "-n", play.namespace)

        async def refused():
            for trial in await play.trials():
                said = (trial.get("status") or {}).get("conditions") or [{}]
                if said[-1].get("reason") == "RefusedByCluster":
                    return said[-1]["message"]
            return None

        message = await play.until(refused)
        assert "system:serviceaccount" in message
        who = f"--serviceaccount={play.namespace}:trials"
        api_server.kubectl("create", "rolebinding", "again", "--role=trials", who, "-n",
                           play.namespace)  # fmt: skip
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


def test_an_operator_that_may_not_impersonate_says_what_it_lacks(api_server, tmp_path, within):
    async def scenario(play):
        make_account(api_server, play.namespace, "trials", creates="jobs.batch")
        config = kubeconfig_of(api_server, play.namespace, tmp_path, ALL_BUT_IMPERSONATE)
        kube = await connect(kubeconfig=str(config))
        try:
            task = play.operate(kube)
            await play.create(experiment(trialServiceAccount="trials"))

            async def told():
                events = [each["message"] for each in await play.all(EVENTS)]
                return [each for each in events if "tunewright-impersonation" in each]

            said = await play.until(told)
            await play.leave(task)
            return said[0], await play.all(JOBS)
        finally:
            await kube.close()

    message, jobs = within(scenario)
    assert "may not act as service account trials" in message
    assert not jobs
