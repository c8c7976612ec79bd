"""How far a run is and how long it will still take: one estimate over all stages that are to be computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

OUTPUTS = "outputs"
"""Name of the last step, which writes map and lists."""
DEFAULT_SECONDS = 1.0
OUTPUT_SECONDS = 4.0
_NEARLY = 0.97
"""A running stage never counts as more than this, however long it takes."""


@dataclass
class WholeRun:
    """Share done and time left of a run, from what its stages are expected to take.

    A stage that runs counts by the time it has taken, up to nearly all of what was expected of it. The time left is
    corrected by how the stages so far compare with what was expected of them.

    Parameters
    ----------
    expected
        Seconds by stage; 1 s where a stage is not named.
    clock
        Seconds that only grow; for tests.
    """

    expected: Mapping[str, float]
    clock: Callable[[], float] = time.monotonic
    stages: tuple[str, ...] = ()
    done: dict[str, float] = field(default_factory=dict)
    """Seconds that finished stages took."""
    _running: list[tuple[str, float]] = field(default_factory=list)

    def announce(self, stages: Sequence[str]) -> None:
        """Stages that will be computed, in order."""
        self.stages = tuple(stages)

    def report(self, label: str, share: float) -> str | None:
        """Take a progress message of the pipeline; returns the stage that it finishes, if it does.

        Labels that are no announced stage are steps inside one and change nothing.
        """
        if label not in self.stages:
            return None
        if share <= 0.0:
            self._running.append((label, self.clock()))
        elif share >= 1.0 and self._running and self._running[-1][0] == label:
            self.done[label] = self.clock() - self._running.pop()[1]
            return label
        return None

    def share(self) -> float:
        """Share of the whole run that is done, 0 to 1."""
        whole = sum(self._of(name) for name in self.stages)
        past = sum(self._of(name) for name in self.done) + self._of_running()
        return min(past / whole, 1.0) if whole else 1.0

    def left_s(self) -> float:
        """Seconds left."""
        finished = sum(self._of(name) for name in self.done)
        pace = min(max(sum(self.done.values()) / finished, 0.25), 4.0) if finished >= 1.0 else 1.0
        whole = sum(self._of(name) for name in self.stages)
        return max(whole - finished - self._of_running(), 0.0) * pace

    def _of(self, stage: str) -> float:
        return self.expected.get(stage, OUTPUT_SECONDS if stage == OUTPUTS else DEFAULT_SECONDS)

    def _of_running(self) -> float:
        """Expected seconds that running stages have behind them; what runs inside another is not counted twice."""
        if not self._running:
            return 0.0
        stage, since = self._running[-1]
        return min(self.clock() - since, _NEARLY * self._of(stage))
