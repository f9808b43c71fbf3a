"""Plug-ins of Katib's behind the real command."""

import grpc
import pytest
from support.katib_plugin import counting
from support.waiting import until
from tunewright.proto import api_pb2, api_pb2_grpc, serving

WORSE_AFTER_THE_FIRST = """
: ${trialParameters.x}
if [ -e first ]; then while :; do echo loss=1; sleep 0.05; done; fi
touch first
echo loss=0
"""


WAITS = """
touch trial-${trialParameters.x}
while [ ! -e go ]; do sleep 0.02; done
echo loss=1
"""
ARCHITECTURE = {
    "graphConfig": {"numLayers": 2, "inputSizes": [3], "outputSizes": [10]},
    "operations": [
        {
            "operationType": "convolution",
            "parameters": [
                {
                    "name": "size",
                    "parameterType": "categorical",
                    "feasibleSpace": {"list": ["3", "5"]},
                }
            ],
        }
    ],
}


class Architect(api_pb2_grpc.SuggestionServicer):
    """Answers one architecture for each layer that the graph has, in Katib's quotes."""

    def GetSuggestions(self, request, context):  # noqa: N802
        reply = api_pb2.GetSuggestionsReply()
        layers = request.experiment.spec.nas_config.graph_config.num_layers
        first = request.total_request_number - request.current_request_number
        for layer in range(first, min(layers, request.total_request_number)):
            reply.parameter_assignments.add().assignments.add(
                name="architecture", value=f"[[{layer}], ['skip']]"
            )
        return reply

    def ValidateAlgorithmSettings(self, request, context):  # noqa: N802
        return api_pb2.ValidateAlgorithmSettingsReply()


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


def script(document, text):
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["sh", "-c", text]


def worse_after_the_first(document):
    script(document, WORSE_AFTER_THE_FIRST)


def test_a_plug_in_that_is_killed_goes_on_without_its_past_and_the_run_says_so(
    tunewright, experiment, tmp_path
):
    def change(document):
        script(document, WAITS)
        space = {"parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}}
        document["spec"]["parameters"] = [{"name": "x", **space}]

    with (
        counting() as plugin,
        tunewright.start(
            "run", experiment(change), "--algorithm", f"counting={plugin.address}"
        ) as run,
    ):
        until((tmp_path / "trial-1").exists)
        plugin.kill()
        plugin.start()
        (tmp_path / "go").touch()
        _, said = run.communicate(timeout=60)
        assert run.returncode == 0, said

    trials = tunewright("trials", "echo", "-o", "json").json
    events = tunewright("describe", "echo", "-o", "json").json["events"]
    (forgot,) = [event for event in events if event["reason"] == "PluginForgot"]
    assert [trial["parameters"]["x"] for trial in trials] == [1, 2, 3]
    assert "it continues without 1 trial that it does not know" in forgot["message"]


def test_what_a_plug_in_says_of_an_architecture_reaches_the_command_as_it_is(
    tunewright, experiment
):
    def change(document):
        script(document, 'echo "${trialParameters.x}"; echo loss=1')
        spec = document["spec"]
        del spec["parameters"]
        spec["nasConfig"] = ARCHITECTURE
        spec["trialTemplate"]["trialParameters"] = [{"name": "x", "reference": "architecture"}]

    def register(server):
        api_pb2_grpc.add_SuggestionServicer_to_server(Architect(), server)

    server, address = serving.start("127.0.0.1:0", register)
    try:
        result = tunewright("run", experiment(change), "--algorithm", f"enas={address}")
    finally:
        server.stop(0).wait()

    assert result.code == 0, result.err
    assert tunewright("logs", "echo", "1").out.splitlines()[0] == "[[1], ['skip']]"
    assert "ExperimentSuggestionEndReached" in result.out


def test_a_rule_of_a_plug_in_stops_trials(tunewright, experiment, stopper):
    file = experiment(worse_after_the_first)

    result = tunewright("run", file, "--early-stopping", f"mine={stopper.address}")

    assert result.code == 0, result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["state"] for trial in trials] == ["Succeeded", "EarlyStopped", "EarlyStopped"]
    assert "the best loss is 1, greater than 0" in trials[1]["message"]
    # What was not answered in time is told again.
    assert list(dict.fromkeys(stopper.told)) == [trial["name"] for trial in trials[1:]]


def test_a_rule_of_another_tunewright_stops_trials(tunewright, experiment):
    def change(document):
        worse_after_the_first(document)
        settings = [{"name": "min_trials_required", "value": "1"}]
        document["spec"]["earlyStopping"] = {
            "algorithmName": "medianstop",
            "algorithmSettings": settings,
        }

    with tunewright.start("serve", "suggestion", "--port", "0") as service:
        address = service.stdout.readline().split()[-1]
        result = tunewright("run", experiment(change), "--early-stopping", f"medianstop={address}")
        service.terminate()

    assert result.code == 0, result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["state"] for trial in trials] == ["Succeeded", "EarlyStopped", "EarlyStopped"]
    assert "the best loss is 1, above the median 0 of 1" in trials[1]["message"]


WAITS_AFTER_ITS_LAST_REPORT = """
: ${trialParameters.x}
if [ -e first ]; then printf 'loss=1\\nloss=1\\n'; exec sleep 50; fi
touch first
printf 'loss=0\\nloss=0\\n'
"""


def test_a_stop_of_a_service_reaches_a_trial_that_reports_no_more(tunewright, experiment):
    def change(document):
        script(document, WAITS_AFTER_ITS_LAST_REPORT)
        settings = {"min_trials_required": "1", "start_step": "2"}
        document["spec"]["maxTrialCount"] = 2
        document["spec"]["earlyStopping"] = {
            "algorithmName": "medianstop",
            "algorithmSettings": [{"name": k, "value": v} for k, v in settings.items()],
        }

    with tunewright.start("serve", "suggestion", "--port", "0") as service:
        address = service.stdout.readline().split()[-1]
        result = tunewright(
            "run", experiment(change), "--early-stopping", f"medianstop={address}", timeout=40
        )
        service.terminate()

    assert result.code == 0, result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["state"] for trial in trials] == ["Succeeded", "EarlyStopped"]
    assert trials[1]["value"] == 1


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
