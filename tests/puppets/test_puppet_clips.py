"""Puppets: bodies keep their shape, actions differ, silhouettes are exact, rivals stand apart."""

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from rstan_lite.puppets import CLASSES, dataset, skeleton, surroundings
from rstan_lite.puppets.actions import ACTIONS
from rstan_lite.puppets.body import Wardrobe, build
from rstan_lite.puppets.painting import Easel, Part, Placement, ball, strokes
from rstan_lite.puppets.scenery import Scene
from rstan_lite.puppets.skeleton import ANKLE, FOREARM, UPPER_ARM, Clock, Performance, Pose
from rstan_lite.puppets.staging import Clip, make_clip

STILL = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])  # a camera


def perform(name: str, seed: int = 0, n: int = 40) -> Performance:
    clock = Clock.over(n, 3.0, n - 5.0)
    return ACTIONS[name].perform(Pose.idle(n), clock, np.random.default_rng(seed))


def film(name: str, seed: int, size: tuple[int, int] = (120, 160)) -> Clip:
    return make_clip(name, np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2]), size)


def among(action: str, rivals: tuple[int, int]) -> Clip:
    (job,) = dataset.jobs(action, 1)
    return make_clip(action, *job.streams(7), (120, 160), rivals)


@pytest.mark.parametrize("name", CLASSES)
def test_bodies_stay_whole(name: str) -> None:
    """Bones keep their length, soles stay above the ground, speeds stay human, in every action."""
    for seed in range(3):
        s = perform(name, seed).skeleton
        bones = [("pelvis", "neck", skeleton.SPINE)]
        for side in "rl":
            bones += [
                (f"{side}_hip", f"{side}_knee", skeleton.THIGH),
                (f"{side}_knee", f"{side}_ankle", skeleton.SHIN),
                (f"{side}_shoulder", f"{side}_elbow", UPPER_ARM),
                (f"{side}_elbow", f"{side}_wrist", FOREARM),
            ]
            assert s[f"{side}_ankle"][:, 1].min() > ANKLE - 0.035
        for a, b, length in bones:
            np.testing.assert_allclose(np.linalg.norm(s[a] - s[b], axis=1), length, atol=1e-6)
        for joint, path in s.joints.items():
            assert np.isfinite(path).all()
            assert np.abs(np.diff(path, axis=0)).max() < 0.4, f"{joint} leaps"


def test_every_action_is_the_one_that_people_have_seen() -> None:
    """Silhouettes and joints of a clip of each action, beside rivals or alone, never change."""
    total = hashlib.sha256()
    for i, name in enumerate(CLASSES):
        job = dataset.jobs(name, 1)[0]
        clip = make_clip(name, *job.streams(0), (48, 64), (0, i % 3))
        total.update(clip.masks.tobytes())
        total.update(np.rint(clip.joints * 1000).astype(np.int64).tobytes() + clip.tags.encode())
    assert total.hexdigest()[:16] == "dc366d571ea10440"


def test_the_silhouette_is_what_is_painted_of_the_body() -> None:
    """Painted on black and on white, the actor's pixels are those where both pictures agree."""
    place = Placement((80.0, 150.0), 130.0, 0.7, mirrored=True)
    person = skeleton.solve(Pose.idle(1))
    body = build(person, Wardrobe.draw(np.random.default_rng(0)))
    black = np.zeros((160, 160, 3), np.uint8)

    def coverage(things: list[Part]) -> tuple[np.ndarray, np.ndarray]:
        easel = Easel(strokes(things, place, STILL, 0.0, True), 1)
        dark, mask = easel.paint(black, 0)
        light, _ = easel.paint(255 - black, 0)
        return 1 - (light.astype(int) - dark).mean(-1) / 255, mask

    alpha, mask = coverage(body)
    assert mask.any()
    assert (mask[alpha > 0.9] == 1).all()
    assert (mask[alpha < 0.1] == 0).all()
    front = person["neck"] + np.array([[0.3, -0.1, 0.3]])
    _, covered = coverage([*body, ball(front, 0.06, (200, 60, 60))])
    hidden = (mask == 1) & (covered == 0)
    assert hidden.sum() > 50, "a ball in front of the chest hides part of the body"
    assert (covered <= mask).all()
    behind = coverage([*body, ball(front, 0.06, (200, 60, 60), bias=-5.0)])[1]
    np.testing.assert_array_equal(behind, mask)


def test_other_frame_sizes_show_the_same_clip_in_other_sizes() -> None:
    """A clip at another size is the same picture scaled, silhouette and joints included."""
    usual, half = film("golf", 5, (240, 320)), film("golf", 5)
    np.testing.assert_allclose(half.joints - 1, (usual.joints - 1) / 2, atol=1e-9)
    np.testing.assert_allclose(half.scale, usual.scale)
    shrunk = cv2.resize(usual.masks[3], (160, 120), interpolation=cv2.INTER_AREA)
    both = np.count_nonzero(shrunk & half.masks[3]) / np.count_nonzero(shrunk | half.masks[3])
    assert both > 0.85
    small = cv2.resize(usual.frames[3], (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - half.frames[3]).mean() < 14


def fluorescent(frames: np.ndarray) -> np.ndarray:
    """Pixels of the vest's yellow: bright red and green, hardly any blue."""
    red, green, blue = (frames[..., i].astype(int) for i in range(3))
    return (green > 1.6 * blue + 40) & (green > 0.95 * red) & (red > 1.3 * blue + 30)


@pytest.fixture
def stage() -> surroundings.Stage:
    scene = Scene(np.zeros((400, 700, 3), np.uint8), "park", 200)
    actor = Placement((330.0, 330.0), 100.0, 0.0)
    return surroundings.Stage(scene, np.repeat(STILL, 30, 0), 350.0, actor, 320.0)


def test_the_actor_alone_wears_a_vest() -> None:
    clip, alone = among("golf", (2, 2)), among("golf", (0, 0))
    vest = fluorescent(clip.frames)
    on_actor = vest & (clip.masks > 0)
    assert on_actor.sum((1, 2)).min() > 20, "a frame in which the vest is not to be seen"
    assert on_actor.sum() > 0.6 * vest.sum()  # a tennis ball comes near the colour
    assert "_np3_" in clip.tags
    assert fluorescent(alone.frames)[alone.masks > 0].mean() < 0.02
    # he is smaller beside rivals, and nobody else is added to his silhouette
    assert 0.2 < clip.masks.mean() / alone.masks.mean() < 0.9


def test_rivals_perform_other_actions_as_large_as_the_actor_and_apart(stage, monkeypatch):
    performed: list[str] = []
    for name, action in ACTIONS.items():

        def act(pose, clock, rng, name=name, real=action.perform):
            performed.append(name)
            return real(pose, clock, rng)

        monkeypatch.setitem(ACTIONS, name, replace(action, perform=act))
    apart = []
    for seed in range(12):
        before = len(performed)
        company = surroundings.rivals(stage, "walk", 2, np.random.default_rng(seed))
        assert company.people == len(company.standing) == 2
        assert len(set(performed[before:])) == 2
        for one in company.standing:
            assert 0.8 * stage.actor.height < one.height < stage.actor.height
            assert stage.scene.horizon < one.origin[1] < stage.actor.origin[1]
        assert all(stroke.mask == -1 for stroke in company.strokes), "a rival on the silhouette"
        apart.append(min(abs(p.origin[0] - stage.actor.origin[0]) for p in company.standing))
    assert np.median(apart) > 0.5 * stage.actor.height
    assert "walk" not in performed
    assert len(set(performed)) > 10
