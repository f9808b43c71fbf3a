"""Packages of others, installed in a folder of their own."""

from pathlib import Path


def install(
    site: Path,
    name: str,
    source: str,
    entries: dict[str, str],
    *,
    group: str = "tunewright.algorithms",
) -> None:
    """Lay a distribution of one module down as an installer does, with entry points of a group."""
    (site / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(source)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{entry} = {where}" for entry, where in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
