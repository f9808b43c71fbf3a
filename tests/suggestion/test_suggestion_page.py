"""docs/algorithms.md says of every algorithm what the registry says."""

import re

import pytest
from support.command import ROOT
from tunewright.suggestion import registry

PAGE = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
SECTIONS = {
    section.split("\n", 1)[0]: section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)
}


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_an_algorithm_has_a_section_with_each_of_its_settings_and_defaults(name):
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", SECTIONS[name], flags=re.MULTILINE)
    written = {setting: default.strip() for setting, default in rows}
    known = {setting.name: setting.default for setting in registry.find(name).settings}
    required = {setting for setting, default in written.items() if default == "required"}
    assert written == {**known, **dict.fromkeys(required, "required")}


def test_the_sections_are_in_order():
    names = [name for name in SECTIONS if name in registry.BUILT_IN]
    assert names == sorted(names)
