"""The simulation in which multi-fidelity searches are measured."""

import itertools

import pytest
from search.fidelity import EPOCHS, ETA, SEARCHES, TRAININGS, Training, regret

POINT = {"rate": 0.003, "momentum": 0.6, "dropout": 0.2, "width": 320}
TOLD, MISLED = TRAININGS


@pytest.mark.parametrize("training", TRAININGS, ids=lambda each: each.name)
def test_a_loss_falls_from_epoch_to_epoch_and_none_is_better_than_the_best(training: Training):
    for rate in (1e-4, 0.003, 1.0):
        losses = [training.loss({**POINT, "rate": rate}, epoch) for epoch in range(1, EPOCHS + 1)]
        assert all(after < before for before, after in itertools.pairwise(losses))
        assert losses[-1] >= training.best()


def test_early_losses_rank_as_late_ones_do_or_not():
    slow, quick = {**POINT, "rate": 0.005}, {**POINT, "rate": 0.1}
    for training, agree in ((TOLD, True), (MISLED, False)):
        late = training.final(slow) < training.final(quick)
        assert late
        assert (training.loss(slow, 1) < training.loss(quick, 1)) is agree


@pytest.mark.filterwarnings("ignore")  # optuna's marks of what is experimental
@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_seen_comes_in_order_and_the_same_again_for_the_same_seed(name):
    seen = list(SEARCHES[name](MISLED, 1, 4, 60.0))
    assert [each.at for each in seen] == sorted(each.at for each in seen)
    assert seen[-1].at <= 60
    assert seen == list(SEARCHES[name](MISLED, 1, 4, 60.0))
    assert regret(MISLED, iter(seen)) >= 0


def test_more_workers_see_more_in_the_same_time():
    few, many = (len(list(SEARCHES["asha"](TOLD, 1, workers, 40.0))) for workers in (4, 16))
    assert many > 3 * few


def test_a_promoted_trial_pays_for_the_epochs_that_its_parent_did_not_train():
    """One worker has no time in which two trials run, so that all that was trained adds up."""
    seen = list(SEARCHES["asha"](TOLD, 1, 1, 60.0))
    trained: dict[tuple[object, ...], int] = {}
    spent = 0.0
    for each in seen:
        key = tuple(value for name, value in each.point.items() if name != "epochs")
        epochs = int(each.point["epochs"])
        spent += (epochs - trained.get(key, 0)) * TOLD.seconds(each.point)
        trained[key] = epochs
        assert each.at == pytest.approx(spent)
    assert {ETA, 1} <= set(trained.values())
