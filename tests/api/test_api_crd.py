"""The custom resource definitions are those that the models make."""

import runpy
from pathlib import Path

import pytest
import yaml
from tunewright.api.crd import definitions, texts_of

CRDS = Path(__file__).parents[2] / "deploy" / "crds"
PLURALS = ["experiments", "suggestions", "trials"]


def schema_of(plural):
    (version,) = definitions({})[plural]["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def parts(schema, path=""):
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from parts(below, f"{path}.{name}".strip("."))
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from parts(schema[key], f"{path}[]")


def test_the_files_are_what_make_crds_would_write():
    made = runpy.run_path(str(CRDS / "generate.py"))["files"]()

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


def test_a_job_is_kept_as_it_is():
    free = {path for path, schema in parts(schema_of("experiments"))
            if schema.get("x-kubernetes-preserve-unknown-fields")}  # fmt: skip

    assert free == {
        "spec.trialTemplate.trialSpec",
        "spec.checkpoint.volume",
        "spec.metricsCollectorSpec.collector.customCollector",
    }


def test_the_reference_page_describes_every_field():
    page = (CRDS.parents[1] / "docs" / "experiment.md").read_text()
    texts = texts_of(page)

    described = definitions(texts)["experiments"]["spec"]["versions"][0]["schema"]
    spec = described["openAPIV3Schema"]["properties"]["spec"]
    assert [path for path, schema in parts(spec, "spec")
            if path in texts and not schema.get("description")] == []  # fmt: skip
    assert spec["properties"]["objective"]["properties"]["goal"]["description"] == (
        "finite; reaching it ends the experiment; default: none"
    )
