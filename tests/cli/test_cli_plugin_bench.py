"""`tunewright plugin bench`."""

import pytest

QUICK = ["--trials", "12", "--seeds", "2", "--problem", "branin", "--problem", "training"]


def test_an_algorithm_is_shown_beside_others_on_each_problem(tunewright):
    result = tunewright("plugin", "bench", "sobol", "--against", "random,tpe", *QUICK)
    assert result.code == 0, result.err
    rows = [line.split()[:2] for line in result.out.splitlines()[1:-1]]
    assert rows == [
        [problem, name] for problem in ("branin", "training") for name in ("sobol", "random", "tpe")
    ]
    assert result.out.splitlines()[-1].startswith("mean place: ")


def test_a_service_is_asked_at_its_address(tunewright):
    with tunewright.start("serve", "suggestion", "--port", "0") as process:
        address = process.stdout.readline().split()[-1]
        result = tunewright(
            "plugin", "bench", address, "--algorithm", "sobol", "--against", "sobol", *QUICK
        )
        process.terminate()
    assert result.code == 0, result.err
    rows = [line.split() for line in result.out.splitlines()[1:-1]]
    assert [row[2] for row in rows[::2]] == [row[2] for row in rows[1::2]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["soboll"], "did you mean sobol?"),
        (["sobol", "--against", "tpee"], "did you mean tpe?"),
        (["sobol", "--problem", "brannin"], "did you mean branin?"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(tunewright, words, message):
    result = tunewright("plugin", "bench", *words)
    assert (result.code, message in result.err) == (2, True), result.err
