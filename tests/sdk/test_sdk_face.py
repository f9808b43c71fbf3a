"""The public face: what it shows, and what it costs."""

import subprocess
import sys

import pytest
import tunewright


def test_the_face_shows_what_a_program_needs():
    assert sorted(tunewright.__all__) == [
        *("AsyncClient", "Client", "Conflict", "Invalid", "NotFound", "TunewrightError"),
        *("__version__", "report", "search", "should_stop", "tune"),
    ]
    assert all(hasattr(tunewright, name) for name in tunewright.__all__)
    assert callable(tunewright.report)
    assert callable(tunewright.search.double)


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tunewright.nonsense


def test_report_pulls_in_nothing_but_the_standard_library():
    program = (
        "import sys; before = set(sys.modules); import tunewright; tunewright.report;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'tunewright'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_training_libraries_are_left_alone_until_a_callback_is_asked_for():
    program = (
        "import sys, tunewright; tunewright.report, tunewright.tune, tunewright.Client;"
        "import tunewright.sdk.integrations;"
        "print({'torch', 'keras', 'sklearn', 'xgboost', 'numpy'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "set()\n"
