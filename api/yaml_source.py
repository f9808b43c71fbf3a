"""YAML as JSON values, with the line of everything; and JSON values as YAML.

Reading follows Kubernetes where YAML's versions differ, except that the words
yes, no, on and off are refused where they stand bare: they are truth values to
Kubernetes and text to everyone else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from .characters import is_unicode
from .errors import Fault

MAX_BYTES = 4 << 20
MAX_NODES = 200_000
MAX_DEPTH = 200

_AMBIGUOUS = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
_UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError)
"""What PyYAML raises at a text that is none of the type that its tag names."""
_OLD_BREAK = re.compile(r"[\x85\u2028\u2029]")
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's way to give a loader its own


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o?[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\d+\.\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+|\.inf)|\.nan",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"(?:{_pattern})\Z", re.ASCII | (re.IGNORECASE if _tag == "float" else 0)),
        [*_first.replace("\0", ""), ""],
    )


class _Dumper(yaml.SafeDumper):
    """Quotes what some reader would take for a number or a truth value.

    Such are 1e-5 to the API server, 08 and 0o17 to this module or to Kubernetes, y to both
    versions of YAML before the last. Line breaks that only YAML 1.1 knows are escaped: written
    as they are, the first of them is read as a blank.
    """

    def represent_text(self, text: str) -> ScalarNode:
        style = '"' if _OLD_BREAK.search(text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)

_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?0[xXoObB][0-9a-fA-F_]+)\Z"
    ),
    [*"-+.0123456789"],
)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]\Z"), [*"yYnN"])


def write(value: object) -> str:
    """Return JSON values as YAML that every reader takes for the same."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


@dataclass(frozen=True)
class Source:
    """One document of a file: its value, and where each part of it stands."""

    value: Any
    node: Node
    file: str | None = None

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def line_of(self, path: str) -> int:
        """Return the line of a path such as `spec.parameters[0].name`, or of its nearest parent."""
        line, node, rest = self.line, self.node, path
        while rest:
            step = _step(node, rest)
            if step is None:
                break
            line, node, rest = step
        return line


def _step(node: Node, rest: str) -> tuple[int, Node, str] | None:
    rest = rest.removeprefix(".")
    if isinstance(node, SequenceNode):
        found = re.match(r"\[(\d+)\]", rest)
        if found is None or int(found[1]) >= len(node.value):
            return None
        item = node.value[int(found[1])]
        return item.start_mark.line + 1, item, rest[found.end() :]
    if isinstance(node, MappingNode):
        for key, value in node.value:
            name = str(key.value)
            if rest.startswith(name) and rest[len(name) : len(name) + 1] in {"", ".", "["}:
                return key.start_mark.line + 1, value, rest[len(name) :]
    return None


def read(data: bytes | str, file: str | None = None) -> tuple[list[Source], list[Fault]]:
    """Read all documents of a file; a document that is empty is left out."""
    text, faults = _decode(data, file)
    if faults:
        return [], faults
    builder = _Builder(file)
    sources: list[Source] = []
    try:
        for node in _nodes(text):
            value = builder.build(node)
            if value is not None:
                sources.append(Source(value, node, file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        builder.fault(_explain(error), mark.line + 1 if mark else None)
    except yaml.YAMLError as error:
        builder.fault(str(error).split("\n", maxsplit=1)[0], None)
    except RecursionError:
        builder.fault("the file is nested too deeply", None)
    return sources, builder.faults


def _nodes(text: str) -> Iterator[Node]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    except ValueError as error:
        mark = loader.get_mark()
        problem = "an escape names no character"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark) from error
    finally:
        loader.dispose()


def _decode(data: bytes | str, file: str | None) -> tuple[str, list[Fault]]:
    def refuse(message: str, remedy: str, line: int | None = None) -> tuple[str, list[Fault]]:
        return "", [Fault("", message, remedy, "Invalid", line, file)]

    if len(data) > MAX_BYTES:
        return refuse("the file is larger than 4 MiB", "is it an Experiment?")
    if isinstance(data, bytes):
        encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            return refuse("the file is not UTF-8", "save it as UTF-8", line)
    else:
        text = data.removeprefix("\ufeff")
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        return refuse(f"the character {found[0]!r} cannot stand in YAML", "remove it", line)
    return text, []


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "\\t" in problem:
        problem = "tabs cannot be used for indentation; use spaces"
    elif "mapping values are not allowed" in problem:
        problem = "unexpected colon; quote the text, or check the indentation"
    return f"not YAML: {problem}"


class _Builder:
    """Makes JSON values of nodes, and lists what cannot be one."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self._constructor = _Loader("")
        self._left = MAX_NODES
        self._text_left = MAX_BYTES  # only what is repeated makes more of it

    def fault(
        self,
        message: str,
        line: int | None,
        *,
        path: str = "",
        remedy: str = "",
        kind: str = "Invalid",
    ) -> None:
        self.faults.append(Fault(path, message, remedy, kind, line, self.file))

    def build(self, node: Node) -> Any:
        return self._value(node, "", ())

    def _value(self, node: Node, path: str, above: tuple[int, ...]) -> Any:
        line = node.start_mark.line + 1
        if not self._spend(node, path):
            return None
        if id(node) in above:
            self.fault("an anchor contains itself", line, path=path)
            return None
        if len(above) > MAX_DEPTH:
            self.fault("the file is nested too deeply", line, path=path)
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        below = (*above, id(node))
        if isinstance(node, SequenceNode):
            return [self._value(item, f"{path}[{i}]", below) for i, item in enumerate(node.value)]
        return self._mapping(node, path, below)

    def _spend(self, node: Node, path: str) -> bool:
        """Count a value, and what it takes to write it; say whether there is room for it."""
        if self._left <= 0 or self._text_left < 0:
            return False
        self._left -= 1
        if isinstance(node, ScalarNode):
            self._text_left -= len(node.value)
        elif isinstance(node, MappingNode):
            self._text_left -= sum(len(key.value) for key, _ in node.value)
        fits = self._left > 0 and self._text_left >= 0
        if not fits:
            line = node.start_mark.line + 1
            self.fault("the file is too large once its anchors are expanded", line, path=path)
        return fits

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        line = node.start_mark.line + 1
        if node.tag == "tag:yaml.org,2002:str" and node.style is None:
            if _AMBIGUOUS.fullmatch(node.value):
                self.fault(
                    f"{node.value} is true or false to some YAML parsers, and text to others",
                    line,
                    path=path,
                    remedy=f'write "{node.value}" in quotes, or true or false',
                )
            return node.value
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self.fault(f"the tag {node.tag} is not allowed", line, path=path, remedy="remove it")
            return None
        if node.tag.endswith(":int") and re.fullmatch(r"0o[0-7]+", node.value):
            return int(node.value, 8)
        try:
            value = self._constructor.construct_object(node)
            if value is None or isinstance(value, bool | int | float):
                return value
            return _joined(value if isinstance(value, str) else node.value)
        except _UNREADABLE:
            shown = node.value if len(node.value) <= 40 else f"{node.value[:37]}..."
            self.fault(f"{shown!r} cannot be read", line, path=path)
            return None

    def _mapping(self, node: Node, path: str, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged = self._merged(value_node, path, above) | merged
                continue
            if not isinstance(key_node, ScalarNode):
                self.fault("a key must be text", line, path=path)
                continue
            key = self._key(key_node, path)
            below = f"{path}.{key}" if path else key
            if key in seen:
                self.fault(
                    f"duplicate key, first in line {seen[key]}",
                    line,
                    path=below,
                    remedy="remove one of them",
                    kind="Duplicate",
                )
                continue
            seen[key] = line
            result[key] = self._value(value_node, below, above)
        return merged | result

    def _key(self, node: ScalarNode, path: str) -> str:
        try:
            return _joined(str(node.value))
        except ValueError:
            self.fault("a key holds half a character", node.start_mark.line + 1, path=path)
            return ""

    def _merged(self, node: Node, path: str, above: tuple[int, ...]) -> dict[str, Any]:
        value = self._value(node, path, above)
        merged: dict[str, Any] = {}
        for part in reversed(value) if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                merged |= part
            else:
                self.fault("<< takes mappings only", node.start_mark.line + 1, path=path)
        return merged


def _joined(text: str) -> str:
    """Join the halves of a character, which JSON may write apart.

    Raises:
        ValueError: the other half is missing.
    """
    if is_unicode(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16")
