"""The paper's pictures of attention as presets: what each shows, and of which action.

The paper's clips are not at hand (ThrowDiscus of UCF101, Dribble of HMDB51), so each preset names
actions that may stand in for its own, nearest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["steps", "streams", "checkpoints"]
COLUMNS = 4  # frames beside one another, as in the paper

_DISCUS = ("ThrowDiscus", "throw", "golf", "swing_baseball", "swing", "climb_stairs")
_EARLY, _LATE = (f"streams and fusion; {when} in the paper" for when in ("early", "late"))
_DRIBBLE = ("dribble", "shoot_ball", "kick_ball", "run", "wave")


@dataclass(frozen=True)
class Preset:
    """One figure.

    kind: "steps": the map that the model goes by, a row a step, a column a frame; "streams": the
    streams' maps and the fused one over the frames, for each of some steps; "checkpoints": the map
    of each frame's own step, a row a checkpoint. action: what the paper's figure shows. others:
    actions in its place. parts: of the COLUMNS frames, those whose steps are shown.
    """

    name: str
    about: str
    kind: Kind
    action: str
    others: tuple[str, ...]
    parts: tuple[int, ...] = tuple(range(COLUMNS))

    def choose(self, actions: Sequence[str]) -> int:
        """Which of some clips, given by their actions, fits best: the first where none does."""
        known = [action.lower() for action in actions]
        for wanted in (self.action, *self.others):
            if wanted.lower() in known:
                return known.index(wanted.lower())
        return 0

    def stand_in(self, action: str) -> str:
        """What to say where a clip's action is another than the figure's; "" where it is not."""
        if action.lower() == self.action.lower():
            return ""
        return f"{action or 'this video'} in the place of {self.action}"


PRESETS = (
    Preset("Fig. 1", "attention of four steps over four frames", "steps", "ThrowDiscus", _DISCUS),
    Preset("Fig. 5, Pick", "without and with silhouettes", "checkpoints", "pick", ("sit", "jump")),
    Preset(
        "Fig. 5, SwingBaseball", "without and with silhouettes", "checkpoints", "swing_baseball",
        ("golf", "kick_ball"),
    ),
    Preset("Fig. 7", _EARLY, "streams", "ThrowDiscus", _DISCUS, (0, 1)),
    Preset("Fig. 8", _LATE, "streams", "ThrowDiscus", _DISCUS, (2, 3)),
    Preset("Fig. 9", _EARLY, "streams", "Dribble", _DRIBBLE, (0, 1)),
    Preset("Fig. 10", _LATE, "streams", "Dribble", _DRIBBLE, (2, 3)),
)  # fmt: skip


def positions(steps: int, columns: int = COLUMNS) -> list[int]:
    """Steps, counted from 0, that are spread evenly from the first to the last of T."""
    count = min(steps, columns)
    return [round(i * (steps - 1) / max(1, count - 1)) for i in range(count)]


def with_step(chosen: Sequence[int], step: int) -> list[int]:
    """The chosen steps, the one nearest to a step replaced by it, in order; of none, the step."""
    if not chosen:
        return [step]
    nearest = min(range(len(chosen)), key=lambda i: (abs(chosen[i] - step), i))
    return sorted({*chosen[:nearest], step, *chosen[nearest + 1 :]})
