"""The trial template: its source, its placeholders, its containers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import gjson
from ..depth import MOST_LEVELS, is_deeper
from ..experiment import ExperimentSpec
from ..placeholders import find, is_meta, parse_meta
from ..template_spec import TrialParameterSpec, TrialTemplate
from ..workload_kinds import KINDS, containers
from .report import REQUIRED, Report

PATH = "spec.trialTemplate"
QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?", re.ASCII)


def check_template(spec: ExperimentSpec, report: Report, *, implied: bool) -> None:
    """Check the template; `spec` has its defaults in place.

    `implied` says that the file has no trialParameters.
    """
    template = spec.trial_template
    if template is None:
        if spec.ask_tell is None:
            report.add(PATH, "must be specified", kind=REQUIRED)
        return
    _check_source(template, report)
    manifest = template.trial_spec
    if manifest is None:
        return
    if is_deeper(manifest, MOST_LEVELS):
        message = f"it is nested more than {MOST_LEVELS} levels deep"
        report.add(f"{PATH}.trialSpec", message, "write what is so deep as text")
        return
    _check_manifest(template, manifest, report)
    parameters = template.trial_parameters or ()
    _check_parameters(spec, parameters, manifest, report)
    _check_placeholders(spec, parameters, manifest, report, implied=implied)
    _check_primary_container(template, manifest, report)
    _check_quantities(manifest, report)


def _check_source(template: TrialTemplate, report: Report) -> None:
    source = template.config_map
    if template.trial_spec is None and source is None:
        report.add(
            f"{PATH}.TrialSource",
            "spec.trialTemplate.trialSpec or spec.trialTemplate.configMap must be specified",
            kind=REQUIRED,
        )
    elif template.trial_spec is not None and source is not None:
        report.add(
            PATH,
            "only one of spec.trialTemplate.trialSpec or spec.trialTemplate.configMap"
            " can be specified",
            kind=REQUIRED,
        )
    elif source is not None and not (
        source.config_map_name and source.config_map_namespace and source.template_path
    ):
        report.add(
            f"{PATH}.configMap",
            "configMapName, configMapNamespace and templatePath must be specified",
            kind=REQUIRED,
        )


def _check_manifest(template: TrialTemplate, manifest: Mapping[str, Any], report: Report) -> None:
    if not (manifest.get("apiVersion") and manifest.get("kind")):
        report.add(
            f"{PATH}.trialSpec",
            "APIVersion and Kind in spec.trialTemplate must be specified",
            "for example apiVersion: batch/v1 and kind: Job",
            kind=REQUIRED,
        )
    metadata = manifest.get("metadata")
    if isinstance(metadata, dict) and (metadata.get("name") or metadata.get("namespace")):
        report.add(
            f"{PATH}.trialSpec.metadata",
            "metadata.name and metadata.namespace in spec.trialTemplate must be omitted",
            "each trial gets a name of its own",
        )
    for name, condition in (
        ("successCondition", template.success_condition),
        ("failureCondition", template.failure_condition),
    ):
        if not (condition or "").strip():
            report.add(
                f"{PATH}.{name}",
                "successCondition and failureCondition must be specified",
                f"it is not known how a {manifest.get('kind')} ends",
                kind=REQUIRED,
            )
            continue
        wrong = gjson.complaint(condition or "")
        if wrong is not None:
            remedy = 'a GJSON path, such as status.conditions.#(type=="Complete")#'
            report.add(f"{PATH}.{name}", wrong, remedy)


def _check_parameters(
    spec: ExperimentSpec,
    parameters: Sequence[TrialParameterSpec],
    manifest: Mapping[str, Any],
    report: Report,
) -> None:
    known = [parameter.name for parameter in spec.parameters]
    path = f"{PATH}.trialParameters"
    explicit = [p for p in parameters if p.name or p.reference]
    report.unique(f"{path}[{{}}].name", [p.name for p in parameters], of="parameter name")
    report.unique(
        f"{path}[{{}}].reference", [p.reference for p in parameters], of="parameter reference"
    )
    for i, parameter in enumerate(parameters):
        reference = parameter.reference
        if not parameter.name or not reference or set("{}") & set(parameter.name):
            report.add(
                f"{path}[{i}]",
                "name and reference must be specified and name must not contain '{' or '}'",
            )
        elif is_meta(reference) or reference.startswith("${"):
            _check_meta(reference, manifest, f"{path}[{i}].reference", report)
        elif spec.nas_config is None and reference not in known:
            report.add(
                f"{path}[{i}].reference",
                f"parameter reference {reference} does not exist in spec.parameters",
                f"known are {', '.join(known) or 'none'}",
            )
    referenced = {parameter.reference for parameter in explicit}
    for i, name in enumerate(known if explicit else ()):
        if name and name not in referenced:
            report.add(
                f"spec.parameters[{i}].name",
                f"the parameter {name} is referenced by no trialParameter",
                "add it to spec.trialTemplate.trialParameters, or remove it",
            )


def _check_meta(reference: str, manifest: Mapping[str, Any], path: str, report: Report) -> None:
    try:
        meta = parse_meta(reference)
    except ValueError as error:
        report.add(path, str(error))
        return
    if meta.key is not None:
        metadata = manifest.get("metadata")
        held = metadata.get(meta.field.lower()) if isinstance(metadata, dict) else None
        if not isinstance(held, dict) or meta.key not in held:
            report.add(path, f"the template has no {meta.field.lower()} {meta.key!r}")


def _check_placeholders(
    spec: ExperimentSpec,
    parameters: Sequence[TrialParameterSpec],
    manifest: Mapping[str, Any],
    report: Report,
    *,
    implied: bool,
) -> None:
    used = find(manifest)
    names = {parameter.name for parameter in parameters}
    for name, where in used.items():
        if name not in names:
            report.add(
                f"{PATH}.trialSpec.{where}",
                f"${{trialParameters.{name}}} is not in spec.trialTemplate.trialParameters",
                f"known are {', '.join(sorted(names)) or 'none'}",
            )
    order = [parameter.name for parameter in spec.parameters]
    for i, parameter in enumerate(parameters):
        if parameter.name and parameter.name not in used:
            remedy = f"put ${{trialParameters.{parameter.name}}} where its value belongs"
            if implied:
                remedy += ", or write trialParameters: [] when the program reads its point itself"
            where = f"{PATH}.trialParameters[{i}].name"
            report.add(
                f"spec.parameters[{order.index(parameter.name)}].name" if implied else where,
                f"parameter name: {parameter.name} not found in spec.trialTemplate",
                remedy,
            )


def _check_primary_container(
    template: TrialTemplate, manifest: Mapping[str, Any], report: Report
) -> None:
    path, name = f"{PATH}.primaryContainerName", template.primary_container_name
    names = {str(c.get("name")): None for _, c in containers(manifest)}
    if not name:
        known = f"one of {', '.join(names)}" if names else "the container whose metrics count"
        report.add(path, "must be specified", known, kind=REQUIRED)
    elif names and str(manifest.get("kind")) in KINDS:
        report.one_of(path, name, list(names), f"the template has no container {name!r}")


def _check_quantities(manifest: Mapping[str, Any], report: Report) -> None:
    for path, container in containers(manifest):
        resources = container.get("resources")
        for part in ("limits", "requests"):
            held = resources.get(part) if isinstance(resources, dict) else None
            for name, value in held.items() if isinstance(held, dict) else ():
                text = str(value)
                if "${" not in text and not QUANTITY.fullmatch(text):
                    report.add(
                        f"{PATH}.trialSpec.{path}.resources.{part}.{name}",
                        f"{text!r} is not a quantity",
                        "such as 500m, 2, 512Mi, 4Gi",
                    )
