"""The network of a trial: read from its parameters, and drawn."""

import csv
import io
import json

import pytest
from playwright.sync_api import expect
from tunewright.ui.network import picture_of

EMBEDDING = {
    "3": {
        "opt_id": 3,
        "opt_type": "convolution",
        "opt_params": {"filter_size": "5", "stride": "1"},
    },
    "7": {"opt_id": 7, "opt_type": "reduction", "opt_params": {"pool_size": 2}},
}
CONFIG = {"num_layers": 3, "input_sizes": [8, 8, 1], "output_sizes": [10], "embedding": EMBEDDING}


def point(architecture="[[3], [7, 1], [3, 1, 0]]", config=CONFIG):
    return {"architecture": architecture, "nn_config": str(config)}


def test_a_layer_takes_from_the_one_before_it_and_by_a_one_from_earlier_ones():
    layers = picture_of(point()).layers
    assert [layer.sources for layer in layers] == [(), (0,), (0, 1), (0, 2), (3,)]
    assert [layer.operation for layer in layers][1:-1] == [
        "convolution",
        "reduction",
        "convolution",
    ]
    assert layers[1].settings == "filter_size 5, stride 1"
    assert (layers[0].settings, layers[-1].settings) == ("8 × 8 × 1", "10")


def test_a_search_by_gradients_mixes_all_operations_in_each_layer():
    mixture = {"search-space": "['convolution_3x3', 'skip_connection']", "num-layers": "2"}
    layers = picture_of(mixture).layers
    assert [layer.name for layer in layers] == ["input", "layer 1", "layer 2", "output"]
    assert layers[1].settings == "convolution_3x3, skip_connection"


@pytest.mark.parametrize(
    "strange",
    [
        {"x": 0.5},
        {"architecture": "resnet"},
        {"architecture": "resnet", "nn_config": "small"},
        point("[[9]]"),
        point("[3, 7]"),
        point("{}"),
        point(config={"embedding": []}),
        {"search-space": "wide", "num-layers": "2"},
        {"search-space": "3", "num-layers": "2"},
        {"search-space": "[]", "num-layers": "many"},
        {"search-space": "[" * 100_000, "num-layers": "2"},
    ],
)
def test_parameters_that_only_sound_like_a_network_are_none(strange):
    assert picture_of(strange) is None


EXPERIMENT = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: layers}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: nas-random}
  maxTrialCount: 2
  parallelTrialCount: 1
  seed: 5
  nasConfig:
    graphConfig: {numLayers: 5, inputSizes: [8, 8, 1], outputSizes: [10]}
    operations:
      - operationType: convolution
        parameters:
          - {name: filter_size, parameterType: categorical, feasibleSpace: {list: ["3", "5"]}}
          - {name: num_filter, parameterType: categorical, feasibleSpace: {list: ["32", "64"]}}
      - operationType: reduction
        parameters:
          - {name: pool_size, parameterType: int, feasibleSpace: {min: "2", max: "3", step: "1"}}
  trialTemplate:
    trialParameters:
      - {name: architecture, reference: architecture}
      - {name: config, reference: nn_config}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: training
                image: local
                command: [echo, "loss=0.5", "${trialParameters.architecture}"]
                args: ["${trialParameters.config}"]
"""


@pytest.mark.xdist_group("page")
def test_an_export_holds_the_architectures_that_were_tried(server):
    text = EXPERIMENT.replace("name: layers", "name: taken")
    (server.folder / "taken.yaml").write_text(text, encoding="utf-8")
    server.tunewright("run", "taken.yaml")
    with server.client() as client:
        table = client.get(server.api("/experiments/default/taken/csv")).text
    head, *rows = csv.reader(io.StringIO(table))
    assert head[4:6] == ["architecture", "nn_config"]
    assert [len(json.loads(row[4])) for row in rows] == [5, 5]


@pytest.mark.xdist_group("page")
@pytest.mark.needs("browser")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_trials_network_is_drawn_and_told_as_a_table(opened, server, width):
    if width == 1280:
        (server.folder / "layers.yaml").write_text(EXPERIMENT, encoding="utf-8")
        server.tunewright("run", "layers.yaml")
    page = opened("/experiments/default/layers/trials/0", width=width)
    network = page.get_by_role("region", name="Network", exact=True)
    expect(network.get_by_role("img", name="The network: 5 layers")).to_be_visible()
    expect(network.locator("rect.layer")).to_have_count(5)
    network.get_by_text("As a table").click()
    rows = network.locator("tbody tr td:first-child")
    expect(rows).to_have_text(["input", *(f"layer {n}" for n in range(1, 6)), "output"])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.xdist_group("page")
@pytest.mark.needs("browser")
def test_the_best_network_is_drawn_as_it_is_found(opened, server):
    text = EXPERIMENT.replace("name: layers", "name: found").replace(
        '[echo, "loss=0.5"', '[sh, -c, "sleep 1; echo loss=0.5"'
    )
    (server.folder / "found.yaml").write_text(text, encoding="utf-8")
    server.tunewright("run", "found.yaml", "--detach")
    page = opened("/experiments/default/found")
    expect(page.locator("#best-network rect.layer")).to_have_count(5, timeout=30000)
