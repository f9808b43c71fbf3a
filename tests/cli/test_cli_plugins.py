"""Plug-ins of Katib's behind the real command."""

import grpc
import pytest
from tunewright.proto import api_pb2, api_pb2_grpc, serving

WORSE_AFTER_THE_FIRST = """
: ${trialParameters.x}
if [ -e first ]; then while :; do echo loss=1; sleep 0.05; done; fi
touch first
echo loss=0
"""


class StopsWhatIsWorse(api_pb2_grpc.EarlyStoppingServicer):
    """Limits the loss to the best that succeeded, which it reads from the metrics of trials."""

    def __init__(self):
        self.told = []

    def GetEarlyStoppingRules(self, request, context):  # noqa: N802
        reply = api_pb2.GetEarlyStoppingRulesReply()
        for trial in request.trials:
            if trial.status.condition != api_pb2.TrialStatus.SUCCEEDED:
                continue
            with grpc.insecure_channel(request.db_manager_address) as channel:
                asked = api_pb2.GetObservationLogRequest(trial_name=trial.name, metric_name="loss")
                found = api_pb2_grpc.DBManagerStub(channel).GetObservationLog(asked)
            (log,) = found.observation_log.metric_logs
            reply.early_stopping_rules.add(
                name="loss", value=log.metric.value, comparison=api_pb2.GREATER, start_step=2
            )
        return reply

    def SetTrialStatus(self, request, context):  # noqa: N802
        self.told.append(request.trial_name)
        return api_pb2.SetTrialStatusReply()

    def ValidateEarlyStoppingSettings(self, request, context):  # noqa: N802
        if request.early_stopping.algorithm_settings:
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details("unknown setting")
        return api_pb2.ValidateEarlyStoppingSettingsReply()


@pytest.fixture
def stopper():
    plugin = StopsWhatIsWorse()

    def register(server):
        api_pb2_grpc.add_EarlyStoppingServicer_to_server(plugin, server)

    server, plugin.address = serving.start("127.0.0.1:0", register)
    yield plugin
    server.stop(0).wait()


def worse_after_the_first(document):
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["sh", "-c", WORSE_AFTER_THE_FIRST]


def test_a_rule_of_a_plug_in_stops_trials(tunewright, experiment, stopper):
    file = experiment(worse_after_the_first)

    result = tunewright("run", file, "--early-stopping", f"mine={stopper.address}")

    assert result.code == 0, result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["state"] for trial in trials] == ["Succeeded", "EarlyStopped", "EarlyStopped"]
    assert "the best loss is 1, greater than 0" in trials[1]["message"]
    assert stopper.told == [trial["name"] for trial in trials[1:]]


def test_settings_that_the_plug_in_refuses_stop_the_run_before_the_first_trial(
    tunewright, experiment, stopper
):
    def change(document):
        settings = [{"name": "patience", "value": "2"}]
        document["spec"]["earlyStopping"] = {
            "algorithmName": "mine",
            "algorithmSettings": settings,
            "endpoint": stopper.address,
        }

    result = tunewright("run", experiment(change))

    assert result.code == 2
    assert "spec.earlyStopping.algorithmSettings: unknown setting" in result.err
    assert tunewright("get", "-o", "json").json == []
