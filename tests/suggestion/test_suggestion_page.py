"""The pages of algorithms and stopping rules say what the registries say."""

import re

import pytest
from support.command import ROOT
from tunewright.suggestion import registry
from tunewright.suggestion.early_stopping.registry import BUILT_IN as RULES


def sections(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {part.split("\n", 1)[0]: part for part in parts}


ALGORITHMS, STOPPING = sections("algorithms.md"), sections("early-stopping.md")


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        *((ALGORITHMS.get(name, ""), registry.find(name).settings) for name in registry.BUILT_IN),
        *((STOPPING.get(name, ""), kind.settings) for name, kind in RULES.items()),
    ],
    ids=[*registry.BUILT_IN, *(f"{name} stopping" for name in RULES)],
)
def test_a_section_has_each_setting_with_its_default(section, settings):
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, flags=re.MULTILINE)
    written = {setting: default.strip() for setting, default in rows}
    known = {setting.name: setting.default for setting in settings}
    required = {setting for setting, default in written.items() if default == "required"}
    assert section
    assert written == {**known, **dict.fromkeys(required, "required")}


@pytest.mark.parametrize(("page", "known"), [(ALGORITHMS, registry.BUILT_IN), (STOPPING, RULES)])
def test_the_sections_are_in_order(page, known):
    names = [name for name in page if name in known]
    assert names == sorted(known)
