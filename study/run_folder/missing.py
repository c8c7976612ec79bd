"""What to say where no run lies: most often the name of a study stands where its run folder should."""

from __future__ import annotations

from pathlib import Path

from layers.contracts import Finding

MANIFEST = "manifest.json"


def run_missing(run_folder: Path) -> Finding:
    """``run.not_found`` for what the user gave, with the run that he may have meant."""
    near = _near(run_folder)
    remedy = (
        f"Did you mean {near.as_posix()}?"
        if near is not None
        else "Give a run folder such as data/processed/bozhou/latest; 'fengguang run STUDY' makes one."
    )
    return Finding("error", "run.not_found", run_folder.name, "", "", "", "no run lies here.", remedy)


def _near(run_folder: Path) -> Path | None:
    """The latest run below the folder, or that of the study so called (``my-city``, ``studies/my-city.toml``)."""
    for folder in (run_folder, Path("data/processed") / run_folder.stem):
        if (folder / "latest" / MANIFEST).is_file():
            latest = folder / "latest"
            return latest.relative_to(Path.cwd()) if latest.is_relative_to(Path.cwd()) else latest
    return None
