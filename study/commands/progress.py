"""Progress on the command line: a bar with the time left on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from study.stages.progress import WholeRun

Show = Callable[[str, float], None]


@contextmanager
def steps() -> Iterator[Show]:
    """A progress line for each step on a terminal; nothing at all elsewhere."""
    if not sys.stderr.isatty():
        yield lambda label, share: None
        return
    with _bars() as bars:
        tasks: dict[str, int] = {}

        def show(label: str, share: float) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=1.0)
            bars.update(tasks[label], completed=share)  # type: ignore[arg-type]

        yield show


class RunProgress:
    """Progress of a whole run: :meth:`announce` and :meth:`show` are what :func:`study.run.run_study` calls."""

    def __init__(self, expected: Mapping[str, float], labels: Mapping[str, str]) -> None:
        from study.stages.progress import WholeRun

        self.run: WholeRun = WholeRun(expected)
        self.labels = labels

    def announce(self, stages: Sequence[str], cached: int) -> None:
        from study.checks.forecast import duration

        self.run.announce(stages)
        typer.echo(
            f"{cached} stages from the cache, {len(stages) - 1} to compute: about {duration(self.run.left_s())}",
            err=True,
        )

    def show(self, label: str, share: float) -> None:
        """A line when a stage is done: its name, what it took, how much of the run is left."""
        stage = self.run.report(label, share)
        if stage is not None:
            typer.echo(self.line(stage), err=True)

    def line(self, stage: str) -> str:
        from study.checks.forecast import duration

        number, count = len(self.run.done), len(self.run.stages)
        left = "done" if number == count else f"about {duration(self.run.left_s())} left"
        return f"{number:3d}/{count} {self.labels.get(stage, stage):24s}{self.run.done[stage]:8.1f} s   {left}"


class BarProgress(RunProgress):
    """The same as one bar over the whole run, with the step that is under way."""

    def __init__(self, expected: Mapping[str, float], labels: Mapping[str, str], bars: RichProgress) -> None:
        super().__init__(expected, labels)
        self.bars = bars
        self.task = bars.add_task("", total=1.0)

    def show(self, label: str, share: float) -> None:
        from study.checks.forecast import duration

        stage = self.run.report(label, share)
        if stage is not None:
            self.bars.console.print(self.line(stage), highlight=False)
        told = f"{self.labels.get(label, label):28s} {duration(self.run.left_s())} left"
        self.bars.update(self.task, completed=self.run.share(), description=told)


@contextmanager
def run_progress(expected: Mapping[str, float], labels: Mapping[str, str]) -> Iterator[RunProgress]:
    """Progress of a whole run: a bar on a terminal, a line a stage elsewhere; both on the error stream."""
    if not sys.stderr.isatty():
        yield RunProgress(expected, labels)
        return
    with _bars(remaining=False) as bars:
        yield BarProgress(expected, labels, bars)


def _bars(*, remaining: bool = True) -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    last: ProgressColumn = TimeRemainingColumn() if remaining else TaskProgressColumn()
    columns = (TextColumn("{task.description:28s}"), BarColumn(), TimeElapsedColumn(), last)
    return Progress(*columns, console=Console(stderr=True))
