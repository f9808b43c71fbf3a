"""Lines as well-known programs print them, read without a filter."""

import pytest
from tunewright.metrics_collector.parsers.text import TextParser

LINES = [
    pytest.param(
        b"{'loss': 0.6931, 'grad_norm': 1.25, 'learning_rate': 4.5e-05, 'epoch': 1.0}\n"
        b"{'eval_loss': 0.41, 'eval_accuracy': 0.83, 'eval_runtime': 2.1, 'epoch': 1.0}\n",
        [("loss", 0.6931, 1), ("eval_loss", 0.41, 1), ("eval_accuracy", 0.83, 1)],
        id="Hugging Face Trainer",
    ),
    pytest.param(
        b"{'eval_loss': '0.41', 'epoch': '2'}\n",
        [("eval_loss", 0.41, 2)],
        id="Hugging Face Trainer, values in quotes",
    ),
    pytest.param(
        "Epoch 3: 100%|██████████| 32/32 [00:01<00:00, v=0, train_loss=0.311]\r".encode(),
        [("train_loss", 0.311, 3)],
        id="Lightning's bar",
    ),
    pytest.param(
        "┃        Test metric        ┃       DataLoader 0        ┃\n"
        "│         test_loss         │    0.4567    │\n".encode(),
        [("test_loss", 0.4567, None)],
        id="Lightning's table",
    ),
    pytest.param(
        b"Epoch 1/5\n"
        b"  1/938 [......] - ETA: 2:30 - loss: 2.3 - accuracy: 0.1\r"
        b"938/938 [======] - 2s 1ms/step - loss: 0.25 - accuracy: 0.92 - val_loss: 0.14\n",
        [
            ("loss", 2.3, None),
            ("accuracy", 0.1, None),
            ("loss", 0.25, None),
            ("accuracy", 0.92, None),
            ("val_loss", 0.14, None),
        ],
        id="Keras 2",
    ),
    pytest.param(
        "\x1b[1m10/10\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m0s\x1b[0m 1ms/step"
        " - accuracy: 0.8125 - loss: 0.4312\n".encode(),
        [("accuracy", 0.8125, None), ("loss", 0.4312, None)],
        id="Keras 3, with colours",
    ),
    pytest.param(
        b"[0]\ttrain-rmse:0.51\tvalid-rmse:0.62\n[1]\ttrain-rmse:0.41\tvalid-rmse:0.57\n",
        [("valid-rmse", 0.62, 0), ("valid-rmse", 0.57, 1)],
        id="XGBoost",
    ),
    pytest.param(
        b"[10]\ttraining's l2: 0.21\tvalid_0's l2: 0.24\n",
        [("valid_0's l2", 0.24, 10)],
        id="LightGBM",
    ),
    pytest.param(
        b"12:\tlearn: 0.6805\ttest: 0.6812\tbest: 0.6812 (12)\ttotal: 4.1ms\tremaining: 1s\n",
        [("test", 0.6812, 12)],
        id="CatBoost",
    ),
    pytest.param(
        b"epoch     train_loss  valid_loss  accuracy  time    \n"
        b"0         0.512000    0.431000    0.812000  00:03     \n"
        b"1         0.402000    0.397000    0.841000  00:03     \n",
        [
            ("valid_loss", 0.431, 0),
            ("accuracy", 0.812, 0),
            ("valid_loss", 0.397, 1),
            ("accuracy", 0.841, 1),
        ],
        id="fastai",
    ),
    pytest.param(
        b"Iteration 7, loss = 0.41235\nValidation score: 0.871\n",
        [("loss", 0.41235, 7), ("Validation score", 0.871, None)],
        id="scikit-learn's MLP",
    ),
    pytest.param(
        b"[CV 1/5] END .......C=1, kernel=rbf;, score=0.917 total time=   0.0s\n",
        [("score", 0.917, None)],
        id="scikit-learn's search",
    ),
    pytest.param(
        b"Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300039\n"
        b"\nTest set: Average loss: 0.0437, Accuracy: 9890/10000 (99%)\n",
        [("Loss", 2.300039, 1), ("Average loss", 0.0437, None), ("Accuracy", 9890.0, None)],
        id="PyTorch's MNIST example",
    ),
    pytest.param(
        b"Epoch: [4][ 10/5005]\tTime  0.1 ( 0.2)\tLoss 6.9e+00 (7.0e+00)\tAcc@1   1.56 (  0.4)\n"
        b" *   Acc@1 71.234 Acc@5 90.112\n",
        [("Loss", 6.9, 4), ("Acc@1", 1.56, 4), ("Acc@1", 71.234, None), ("Acc@5", 90.112, None)],
        id="PyTorch's ImageNet example",
    ),
    pytest.param(
        b"Train: 5 [ 100/1251 (  8%)]  Loss: 4.12 (4.53)  Time: 0.2s\n"
        b"Test: [  48/48]  Time: 0.1 (0.2)  Loss:  1.012 ( 1.34)  Acc@1:  77.5 ( 70.1)\n",
        [("Loss", 4.12, None), ("Loss", 1.012, None), ("Acc@1", 77.5, None)],
        id="timm",
    ),
    pytest.param(
        b"      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        b"        1/3      2.15G      1.201      2.311      1.105         10    640: 100%|#| 4/4\n"
        b"           Class  Images  Instances  Box(P     R      mAP50  mAP50-95): 100%|#|\n"
        b"           all       128        929    0.64  0.537      0.605      0.446\n",
        [("box_loss", 1.201, 1), ("mAP50", 0.605, None), ("mAP50-95", 0.446, None)],
        id="ultralytics",
    ),
    pytest.param(
        " 45%|████▌     | 45/100 [00:02<00:03, 16.9it/s, loss=0.351, acc=0.9]\r".encode(),
        [("loss", 0.351, None), ("acc", 0.9, None)],
        id="tqdm's postfix",
    ),
    pytest.param(
        b"| rollout/            |          |\n|    ep_rew_mean      | 21.3     |\n",
        [("ep_rew_mean", 21.3, None)],
        id="Stable-Baselines3",
    ),
    pytest.param(
        b"2024-05-01T12:00:00Z INFO     {metricName: accuracy, metricValue: 0.98}\n"
        b"2024-05-01T12:00:00Z INFO     Epoch 2 accuracy=0.98\n",
        [("accuracy", 0.98, 2)],
        id="Katib's own examples",
    ),
    pytest.param(b'{"epoch": 2, "val/loss": 0.25}\n', [("val/loss", 0.25, 2)], id="JSON in text"),
    pytest.param(
        b"step 250: train loss 2.4112, val loss 2.4301\n",
        [("train loss", 2.4112, 250), ("val loss", 2.4301, 250)],
        id="nanoGPT",
    ),
    pytest.param(
        b"I0501 12:00:00.1 140 logging_writer.py:48] [500] accuracy=0.91, loss=0.28\n",
        [("accuracy", 0.91, None), ("loss", 0.28, None)],
        id="Flax",
    ),
]


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_a_framework_s_lines_are_read_without_a_filter(text, expected):
    parser = TextParser(list(dict.fromkeys(name for name, _, _ in expected)))
    samples = parser.feed(text, 0.0) + parser.finish(0.0)
    assert [(sample.metric, sample.value, sample.step) for sample in samples] == expected
