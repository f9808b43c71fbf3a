"""The custom resource definitions are those that the models make."""

import runpy
from pathlib import Path

import pytest
import yaml
from tunewright.api.crd import definitions, texts_of
from tunewright.api.crd_rules import FACTS, REQUIRED, RULES

CRDS = Path(__file__).parents[2] / "deploy" / "crds"
JOB = ["apiVersion", "kind", "metadata", "metadata.name", "metadata.namespace"]
PLURALS = ["experiments", "suggestions", "trials"]
GENERATE = runpy.run_path(str(CRDS / "generate.py"))


def schema_of(plural):
    (version,) = definitions(GENERATE["texts"]())[plural]["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def parts(schema, path=""):
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from parts(below, f"{path}.{name}".strip("."))
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from parts(schema[key], f"{path}[]")


def test_the_files_are_what_make_crds_would_write():
    made = GENERATE["files"]()

    assert {name: (CRDS / name).read_text() for name in made} == made


def test_all_of_them_are_applied():
    kustomization = yaml.safe_load((CRDS / "kustomization.yaml").read_text())

    assert kustomization["resources"] == [f"{plural}.yaml" for plural in PLURALS]


@pytest.mark.parametrize("plural", PLURALS)
def test_every_field_has_a_type(plural):
    untyped = [
        path
        for path, schema in parts(schema_of(plural))
        if "type" not in schema and not schema.get("x-kubernetes-int-or-string")
    ]

    assert untyped == []


def test_what_is_not_ours_is_kept_as_it_is():
    free = {
        path
        for path, schema in parts(schema_of("experiments"))
        if schema.get("x-kubernetes-preserve-unknown-fields")
    }

    assert free == {
        "spec.trialTemplate.trialSpec",
        "spec.trialTemplate.trialSpec.metadata",
        "spec.checkpoint.volume",
        "spec.metricsCollectorSpec.collector.customCollector",
    }


@pytest.mark.parametrize("plural", PLURALS)
def test_every_field_is_described(plural):
    silent = [
        path
        for path, schema in parts(schema_of(plural))
        if path and not path.endswith("[]") and not schema.get("description")
    ]

    foreign = {"metadata", *(f"spec.trialTemplate.trialSpec.{name}" for name in JOB)}
    assert set(silent) <= foreign


@pytest.mark.parametrize("page", ["experiment.md", "resources.md"])
def test_every_line_of_the_pages_describes_a_field(page):
    known = {path for plural in PLURALS for path, _ in parts(schema_of(plural))}
    told = set(texts_of((CRDS.parents[1] / "docs" / page).read_text()))

    assert {path for path in told - known if not path.startswith("metadata.")} == set()


@pytest.mark.parametrize("table", [FACTS, REQUIRED, RULES], ids=["facts", "required", "rules"])
def test_everything_that_is_said_of_a_path_is_said_of_one_that_exists(table):
    assert set(table) <= {path for path, _ in parts(schema_of("experiments"))}
