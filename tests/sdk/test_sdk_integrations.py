"""Callbacks for training libraries, each in a real training of the real library."""

import pytest
from support.pushes import PushEngine, with_engine

pytestmark = pytest.mark.timeout(300)

XGBOOST = """
import numpy, xgboost
from tunewright.sdk.integrations.xgboost import ReportCallback
data = xgboost.DMatrix(numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0))
xgboost.train({}, data, 6, evals=[(data, "held")], callbacks=[ReportCallback()])
"""

XGBOOST_FOLDS = """
import numpy, xgboost
from tunewright.sdk.integrations.xgboost import ReportCallback
data = xgboost.DMatrix(numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0))
xgboost.cv({}, data, 6, nfold=2, callbacks=[ReportCallback()])
"""

LIGHTGBM = """
import numpy, lightgbm
from tunewright.sdk.integrations.lightgbm import report_callback
data = lightgbm.Dataset(numpy.arange(80.0).reshape(40, 2), numpy.arange(40.0))
model = lightgbm.train({"verbose": -1, "metric": "l2"}, data, 6, valid_sets=[data],
                       valid_names=["held"], callbacks=[report_callback])
"""

LIGHTGBM_FOLDS = """
import numpy, lightgbm
from tunewright.sdk.integrations.lightgbm import report_callback
data = lightgbm.Dataset(numpy.arange(80.0).reshape(40, 2), numpy.arange(40.0))
lightgbm.cv({"verbose": -1, "metric": "l2"}, data, 6, nfold=2, stratified=False,
            callbacks=[report_callback])
"""

BOOSTING = """
import numpy
from sklearn.ensemble import GradientBoostingRegressor
from tunewright.sdk.integrations.sklearn import report_monitor
model = GradientBoostingRegressor(n_estimators=6, subsample=0.5)
model.fit(numpy.arange(40.0).reshape(20, 2), numpy.arange(20.0), monitor=report_monitor)
"""

FOLDS = """
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from tunewright.sdk.integrations.sklearn import cross_validate
x, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1000)
mean = cross_validate(model, x, y, cv=6, metric="accuracy")
if not tunewright.should_stop():
    assert abs(mean - cross_val_score(model, x, y, cv=6).mean()) < 1e-12
"""

KERAS = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy
from tunewright.sdk.integrations.keras import ReportCallback
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile(loss="mse")
x, y = numpy.ones((8, 2)), numpy.ones(8)
model.fit(x, y, epochs=6, validation_data=(x, y), verbose=0, callbacks=[ReportCallback()])
"""

HUGGING_FACE = """
import tempfile, torch
from transformers import Trainer, TrainingArguments
from tunewright.sdk.integrations.huggingface import ReportCallback

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, x, labels):
        found = self.linear(x).squeeze(-1)
        return {"loss": ((found - labels) ** 2).mean(), "logits": found}

rows = [{"x": torch.tensor([float(i), 1.0]), "labels": torch.tensor(float(i))} for i in range(8)]
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, max_steps=6, logging_steps=1, per_device_train_batch_size=4, report_to=[],
        save_strategy="no", use_cpu=True, eval_strategy="steps", eval_steps=1, disable_tqdm=True,
    )
    Trainer(Model(), arguments, train_dataset=rows, eval_dataset=rows,
            callbacks=[ReportCallback()]).train()
"""

LIGHTNING = """
import lightning.pytorch as pl, torch
from tunewright.sdk.integrations.lightning import ReportCallback

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def training_step(self, batch, _):
        loss = (self.linear(batch[0]) ** 2).mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", (self.linear(batch[0]) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 2)))
pl.Trainer(max_epochs=6, accelerator="cpu", logger=False, enable_checkpointing=False,
           enable_progress_bar=False, enable_model_summary=False,
           callbacks=[ReportCallback()]).fit(Model(), batches, batches)
"""


def case(name, program, metric, steps, *, needs, of_a_step=1):
    return pytest.param(
        program,
        metric,
        steps,
        of_a_step,
        id=name,
        marks=[pytest.mark.needs(each) for each in needs],
    )


LIBRARIES = [
    case("XGBoost", XGBOOST, "held-rmse", range(6), needs=["xgboost"]),
    case("XGBoost's folds", XGBOOST_FOLDS, "test-rmse", range(6), needs=["xgboost"], of_a_step=2),
    case("LightGBM", LIGHTGBM, "held's l2", range(6), needs=["lightgbm"]),
    case("LightGBM's folds", LIGHTGBM_FOLDS, "valid's l2", range(6), needs=["lightgbm"]),
    case("gradient boosting", BOOSTING, "oob_score", range(6), needs=["sklearn"], of_a_step=2),
    case("cross-validation", FOLDS, "accuracy", range(6), needs=["sklearn"]),
    case("Keras", KERAS, "val_loss", range(6), needs=["keras"], of_a_step=2),
    case(
        "Hugging Face",
        HUGGING_FACE,
        "eval_loss",
        range(1, 7),
        needs=["transformers"],
        of_a_step=8,
    ),
    case("Lightning", LIGHTNING, "val_loss", range(4, 25, 4), needs=["lightning"], of_a_step=2),
]


@pytest.mark.parametrize(("program", "metric", "steps", "of_a_step"), LIBRARIES)
def test_a_callback_reports_each_step_of_a_training_once(program, metric, steps, of_a_step):
    engine = PushEngine()
    with_engine(engine, (program, "t1"))
    assert engine.steps(metric) == list(steps)


@pytest.mark.parametrize(("program", "metric", "steps", "of_a_step"), LIBRARIES)
def test_a_callback_ends_the_training_of_a_trial_that_is_to_stop(program, metric, steps, of_a_step):
    engine = PushEngine(stop_at=3 * of_a_step)
    with_engine(engine, (program, "t1"))
    reported = engine.steps(metric)
    assert reported == list(steps)[: len(reported)]
    assert 2 <= len(reported) <= 4


@pytest.mark.needs("lightning")
def test_all_processes_of_a_training_stop_together():
    """The process of rank 0 alone reports; the other would otherwise wait for it for ever."""
    program = LIGHTNING.replace('accelerator="cpu"', 'accelerator="cpu", devices=2')
    program = program.replace("max_epochs=6", 'max_epochs=6, strategy="ddp_fork"')
    engine = PushEngine(stop_at=4)
    with_engine(engine, (program, "t1"))
    assert len(engine.kept) == 1
    assert 2 <= len(engine.steps("val_loss")) <= 4
