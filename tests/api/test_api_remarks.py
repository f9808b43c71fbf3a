"""Labels and notes: how they are typed, and what can be written."""

import pytest
from tunewright.api.errors import Invalid
from tunewright.api.remarks import asked_labels, check_remarks, remarked, wanted_labels


def test_labels_are_typed_with_a_value_or_taken_away():
    assert asked_labels(["team=vision", "old-", "empty="]) == {
        "team": "vision",
        "old": None,
        "empty": "",
    }
    assert wanted_labels(" team=vision, kept ,") == (("team", "vision"), ("kept", None))


@pytest.mark.parametrize(
    "labels", [{"team": "vision"}, {"a.b/c-d_e": "1"}, {"x" * 63: "y" * 63}, {"gone": None}]
)
def test_what_kubernetes_takes_can_be_written(labels):
    check_remarks(labels, "any text\n" * 100)


@pytest.mark.parametrize(
    ("labels", "note", "said"),
    [
        ({"": "x"}, None, "cannot name a label"),
        ({"-a": "x"}, None, "cannot name a label"),
        ({"/a": "x"}, None, "cannot name a label"),
        ({"x" * 64: "y"}, None, "cannot name a label"),
        ({"a": "b c"}, None, "cannot be the value of a"),
        ({"a": "b" * 64}, None, "cannot be the value of a"),
        ({}, "\N{SNOWMAN}" * 3000, "it has 9,000 bytes"),
        ({}, "half: \ud800", "half a character"),
    ],
)
def test_what_cannot_be_written_is_told(labels, note, said):
    with pytest.raises(Invalid, match=said):
        check_remarks(labels, note)


def test_what_was_there_stays_beside_what_is_written():
    document = {"metadata": {"name": "e", "labels": {"a": "1", "b": "2"}}, "spec": {}}
    changed = remarked(document, {"b": None, "c": "3"}, "why")
    assert changed["metadata"] == {
        "name": "e",
        "labels": {"a": "1", "c": "3"},
        "annotations": {"tunewright.dev/note": "why"},
    }
    assert remarked(changed, {}, "")["metadata"]["annotations"] == {}
