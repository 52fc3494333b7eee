"""Rivals: who stands beside the actor, what they do, and how he is told from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rstan_lite.puppets import crowd, plan
from rstan_lite.puppets.actions import ACTIONS
from rstan_lite.puppets.clip import Clip, make_clip
from rstan_lite.puppets.scene import Scene
from rstan_lite.puppets.view import Placement

SIZE = (120, 160)


def film(action: str, rivals: tuple[int, int], index: int = 0) -> Clip:
    job = plan.jobs(action, index + 1)[index]
    return make_clip(action, job.source_stream(7), job.stream(7), SIZE, rivals)


def fluorescent(frames: np.ndarray) -> np.ndarray:
    """Pixels of the vest's yellow: bright red and green, hardly any blue."""
    red, green, blue = (frames[..., i].astype(int) for i in range(3))
    return (green > 1.6 * blue + 40) & (green > 0.95 * red) & (red > 1.3 * blue + 30)


@pytest.fixture
def stage() -> crowd.Stage:
    camera = np.tile(np.array([[1.0, 0, 0], [0, 1.0, 0]]), (30, 1, 1))
    scene = Scene(np.zeros((400, 700, 3), np.uint8), "park", 200)
    return crowd.Stage(scene, camera, 350.0, Placement((330.0, 330.0), 100.0, 0.0), 320.0)


@pytest.mark.parametrize("action", ["golf", "sit", "wave"])
def test_the_actor_alone_wears_a_vest(action: str) -> None:
    clip = film(action, (2, 2))
    vest = fluorescent(clip.frames)
    on_actor = vest & (clip.masks > 0)
    assert on_actor.sum((1, 2)).min() > 20, "a frame in which the vest is not to be seen"
    assert on_actor.sum() > 0.6 * vest.sum()  # a tennis ball comes near the colour
    assert "_np3_" in clip.tags
    alone = film(action, (0, 0))
    assert fluorescent(alone.frames)[alone.masks > 0].mean() < 0.02


def test_rivals_perform_other_actions(stage: crowd.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    performed = []
    for name, action in ACTIONS.items():

        def perform(clock, rng, name=name, real=action.perform):
            performed.append(name)
            return real(clock, rng)

        monkeypatch.setitem(ACTIONS, name, replace(action, perform=perform))
    for seed in range(12):
        before = len(performed)
        company = crowd.rivals(stage, "walk", 3, np.random.default_rng(seed))
        assert company.people == len(company.standing) == 3
        assert len(set(performed[before:])) == 3
    assert "walk" not in performed
    assert len(set(performed)) > 10


def test_rivals_have_the_actors_size_and_leave_room(stage: crowd.Stage) -> None:
    apart = []
    for seed in range(20):
        company = crowd.rivals(stage, "jump", 2, np.random.default_rng(seed))
        for one in company.standing:
            assert 0.8 * stage.actor.height < one.height < stage.actor.height
            assert stage.scene.horizon < one.origin[1] < stage.actor.origin[1]
        assert all(stroke.mask == -1 for stroke in company.strokes), "a rival on the silhouette"
        standing = [one.origin[0] for one in company.standing]
        apart.append(min(abs(x - stage.actor.origin[0]) for x in standing))
    assert np.median(apart) > 0.5 * stage.actor.height


def test_numbers_of_rivals_vary_between_the_bounds() -> None:
    people = {film("clap", (0, 2), i).tags.split("np")[1][0] for i in range(9)}
    assert {"2", "3"} <= people


def test_the_silhouette_stays_the_actors() -> None:
    """Beside rivals he is smaller, and nobody else is added to his silhouette."""
    alone, beside = film("golf", (0, 0)), film("golf", (3, 3))
    assert 0.2 < beside.masks.mean() / alone.masks.mean() < 0.9
