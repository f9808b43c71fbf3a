"""docs/experiment.md names every field, and no other."""

import re
from pathlib import Path
from typing import get_args, get_origin

from tunewright.api.documents import load_texts
from tunewright.api.experiment import EXTENSIONS, Experiment
from tunewright.api.model import Model

PAGE = (Path(__file__).parents[2] / "docs" / "experiment.md").read_text()


def models(annotation, *, listed=False):
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation, listed
    for part in get_args(annotation):
        yield from models(part, listed=listed or get_origin(annotation) is tuple)


def fields(model, path=""):
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}" if path else field.alias or name
        yield here
        for below, listed in models(field.annotation):
            yield from fields(below, f"{here}[]" if listed else here)


def test_the_page_names_every_field_and_no_other():
    assert sorted(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE)) == sorted(fields(Experiment))


def test_the_page_marks_every_extension():
    marked = set(re.findall(r"^\| `spec\.(\w+)`.*\*\*extension\*\*", PAGE, re.MULTILINE))

    assert marked == EXTENSIONS


def test_the_example_of_the_page_is_valid():
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    assert load_texts([("experiment.md", example[1])]).experiments
