"""`docs/troubleshooting.md`, written from the table of mistakes."""

from collections.abc import Iterator, Mapping, Sequence

from .mistakes import EXPERIMENT, Mistake

HEAD = """\
# Troubleshooting

This page lists common mistakes, the messages that they cause, and what to do. A test runs each of
them exactly as shown; `…` stands for parts that vary. The exit code is 2 if the input is wrong, and
1 if something failed later.

If the message of a command is not enough, `tunewright explain NAME` says why an experiment is in
its state, and `tunewright try FILE` runs one trial that does not count.
"""

SHOWN = {
    "{folder}": "/home/me/work",
    "{taken}": "6789",
    "{closed}": "6443",
    "{store}": "mysql://tune:secret@db/tune",
}
"""What stands on the page for what a scene made."""


def page(sections: Mapping[str, Sequence[Mistake]]) -> str:
    parts = [HEAD]
    for title, mistakes in sections.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_entry(mistake)) for mistake in mistakes]
    return "\n".join(parts)


def _entry(mistake: Mistake) -> Iterator[str]:
    yield f"### {mistake.what}\n"
    yield from _fault(mistake)
    yield "```console"
    yield from (f"$ {_shown(line)}" for line in mistake.first)
    yield f"$ {_shown(mistake.typed)}"
    yield _shown(mistake.says)
    yield "```\n"
    if mistake.advice:
        yield f"{mistake.advice}\n"


def _fault(mistake: Mistake) -> Iterator[str]:
    if mistake.right and not mistake.wrote:
        yield f"The file lacks `{mistake.right.strip()}`.\n"
    elif mistake.right:
        yield "In the file:\n"
        yield "```yaml"
        yield _whole_lines(mistake).strip("\n")
        yield "```\n"
    for name, content in mistake.files.items():
        if name.endswith(".py"):
            yield f"`{name}`:\n"
            yield f"```python\n{content.strip()}\n```\n"


def _whole_lines(mistake: Mistake) -> str:
    """Return the lines of the file that the mistake touches."""
    start = EXPERIMENT.index(mistake.right)
    begin = EXPERIMENT.rfind("\n", 0, start) + 1
    end = start + len(mistake.right)
    rest = "" if mistake.right.endswith("\n") else EXPERIMENT[end : EXPERIMENT.index("\n", end)]
    return EXPERIMENT[begin:start] + mistake.wrote + rest


def _shown(text: str) -> str:
    for key, value in SHOWN.items():
        text = text.replace(key, value)
    return text
