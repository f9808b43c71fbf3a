"""An experiment whose trials people run themselves, seen from the command line."""

import pytest
import yaml
from support.asked import asked
from tunewright import Client


@pytest.fixture
def told(tunewright):
    """An experiment of which one point was told and another is out."""
    (tunewright.folder / "home").mkdir()
    with Client(store=tunewright.folder / "home" / "store.db") as client:
        experiment = client.create(asked("people"))
        point = experiment.ask()
        experiment.tell(point, loss=0.5)
        experiment.ask()
    return tunewright


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get"], "people"),
        (["best", "people"], "0.5"),
        (["describe", "people"], "people"),
        (["describe", "people", "0"], "Succeeded"),
        (["trials", "people"], "Running"),
        (["explain", "people"], "1 point given out, with no result yet"),
        (["export", "people"], "people"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_every_look_at_it_does_without_a_command(told, words, said):
    done = told(*words)
    assert done.code == 0, done.err
    assert said in done.out


def test_explain_asks_nobody_to_resume_it(told):
    assert "resume" not in told("explain", "people").out


def test_it_has_no_command_to_repeat(told):
    refused = told("best", "people", "--command")
    assert refused.code == 2
    assert "people run its trials themselves" in refused.err


@pytest.mark.parametrize("verb", ["try", "render"])
def test_its_file_has_no_trial_to_show(tunewright, verb):
    (tunewright.folder / "people.yaml").write_text(yaml.safe_dump(asked("people")))
    refused = tunewright(verb, "people.yaml")
    assert refused.code == 2
    assert "spec.askTell: people run its trials" in refused.err


def test_its_file_comes_back_as_it_was(told):
    document = yaml.safe_load(told("describe", "people", "-o", "yaml").out)["document"]
    assert "trialTemplate" not in document["spec"]
