"""A setting as tunewright.v1 describes it."""

from ..proto import tunewright_pb2
from .settings import Setting


def setting_to_wire(setting: Setting) -> tunewright_pb2.Setting:
    return tunewright_pb2.Setting(
        name=setting.name,
        type=setting.type_name,
        default=setting.default,
        rule=setting.rule,
        description=setting.description,
    )
