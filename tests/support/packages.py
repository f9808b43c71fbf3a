"""Packages of others, installed in a folder of their own."""

from pathlib import Path


def install(site: Path, name: str, source: str, algorithms: dict[str, str]) -> None:
    """Lay a distribution of one module down as an installer does; `algorithms` are entry points."""
    (site / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(source)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{algorithm} = {where}" for algorithm, where in algorithms.items()]
    (info / "entry_points.txt").write_text("\n".join(["[tunewright.algorithms]", *lines, ""]))
