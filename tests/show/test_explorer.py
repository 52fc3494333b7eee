"""The attention explorer: what is drawn, from whatever scene, and what is written to files."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from rstan_lite.data.transforms import crop
from rstan_lite.data.video import read_frames
from rstan_lite.show.explorer import PRESETS, Look, Scene, View, export, render
from rstan_lite.show.explorer.views import positions, with_step
from rstan_lite.show.explorer.widget import export_name
from rstan_lite.system.errors import ConfigError, StoreError

T, P, CLASSES = 5, 9, ("golf", "sit", "wave")


def attention(rng: np.random.Generator, window: int) -> tuple[np.ndarray, ...]:
    """Alpha, beta, frames and valid of one stream that looks at so many frames a step."""
    frames = np.arange(window) + np.arange(T)[:, None] * (window < T)  # or all, at each step
    valid = frames < T
    alpha = rng.dirichlet(np.ones(P), frames.shape) * valid[..., None]
    beta = rng.random(frames.shape) * valid
    return alpha, beta / beta.sum(1, keepdims=True), np.minimum(frames, T - 1), valid


def look(name: str, window: int = T, streams: int = 2, seed: int = 0) -> Look:
    """A checkpoint of random attention: of no stream, one, or two and their fusion."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(len(CLASSES)), T)
    rows = {s: attention(rng, window) for s in ("appearance", "motion")[:streams]}
    none = np.zeros((T, 0), int)
    if not rows:
        return Look(name, {}, {}, none, none.astype(bool), scores)
    alpha, beta = ({s: found[i] for s, found in rows.items()} for i in (0, 1))
    if streams == 2:
        alpha["fused"] = np.maximum(*alpha.values())
        beta["fused"] = np.maximum(*beta.values())
    return Look(name, alpha, beta, *next(iter(rows.values()))[2:], scores)


def scene(*looks: Look, size: tuple[int, int] = (48, 64), masks: bool = True) -> Scene:
    """A clip of random frames, a square person, and random flow."""
    rng = np.random.default_rng(1)
    film = rng.integers(0, 255, (T, *size, 3), dtype=np.uint8)
    person = np.zeros((T, *size), np.uint8)
    person[:, 20:34, 22:36] = 1
    flow = rng.normal(0, 2, (T, 24, 32, 2))
    return Scene(
        "golf, test clip 1", "golf", film, flow, person if masks else None,
        np.array([1, 4, 7, 10, 13]), 15, crop(size, 32), CLASSES, looks,
    )  # fmt: skip


BOTH = scene(look("without"), look("with", window=2, seed=1))
VIEWS = [View(BOTH, ("without", "with"), preset) for preset in (None, *PRESETS)]
each = pytest.mark.parametrize("view", VIEWS, ids=lambda v: v.preset.name if v.preset else "all")


@each
def test_each_step_has_a_picture_and_words_of_its_own(view: View) -> None:
    drawn = [render(view, step) for step in range(1, T + 1)]
    assert len({d.pixels.shape for d in drawn}) == 1  # so that a film can be made of them
    assert len({d.pixels.tobytes() for d in drawn}) == len({d.alt for d in drawn}) == T
    for step, one in enumerate(drawn, start=1):
        assert one.pixels.dtype == np.uint8
        assert f"step {step} of {T}, frame {BOTH.numbers[step - 1]} of 15" in one.alt
    again = render(replace(view), 2)
    assert again.alt == drawn[1].alt
    np.testing.assert_array_equal(again.pixels, drawn[1].pixels)


@pytest.mark.parametrize(
    "made",
    [
        scene(look("one", streams=1)),
        scene(look("none", streams=0), look("two")),
        scene(look("unknown"), masks=False),
        scene(look("tall"), size=(64, 34)),
        scene(*(look(f"wide {i}", seed=i) for i in range(3)), size=(40, 120)),
    ],
    ids=["one stream", "one of two", "no silhouette", "tall", "three wide ones"],
)
def test_whatever_a_scene_lacks_it_is_drawn(made: Scene) -> None:
    names = tuple(look.name for look in made.looks)
    for preset in (None, *PRESETS):
        drawn = render(View(made, names, preset), T)
        assert all(name in drawn.alt for name in names[:1])
        assert drawn.pixels.std() > 5


def test_words_say_what_the_arrays_say() -> None:
    drawn = render(VIEWS[0], 3)
    for one in BOTH.looks:
        alpha, person = one.map("fused", 2, 2), BOTH.person[2]
        share = sum(alpha[k] for k in range(P) if person[k]) / sum(alpha)
        assert BOTH.share(one, 2) == pytest.approx(share)
        assert f"{100 * share:.0f} % of that map on the person" in drawn.alt
        best = one.scores[2].argmax()
        assert f"answer {CLASSES[best]} with {100 * one.scores[2, best]:.0f} %" in drawn.alt


def test_a_step_says_which_frames_it_does_not_look_at() -> None:
    one = BOTH.looks[1]
    assert one.slot(0, 3) is None
    assert one.map("fused", 0, 3) is one.weight("fused", 0, 3) is None
    assert one.slot(4, 4) == 0  # the other slot of the last step lies past the end
    preset = next(p for p in PRESETS if p.name == "Fig. 7")
    drawn = render(View(BOTH, ("with",), preset), 1)
    assert "not looked at" in drawn.alt
    assert "it looks at 2 of 5 frames a step" in drawn.alt
    assert "not looked at" not in render(View(BOTH, ("without",), preset), 1).alt


def test_what_is_none_is_refused() -> None:
    for step in (0, T + 1):
        with pytest.raises(ValueError, match="step"):
            render(VIEWS[0], step)
    with pytest.raises(ValueError, match="checkpoints"):
        View(BOTH, ("other",))


def test_presets_say_what_stands_in_for_their_action() -> None:
    by_name = {preset.name: preset for preset in PRESETS}
    assert [f"Fig. {n}" in " ".join(by_name) for n in (1, 5, 7, 8, 9, 10)] == [True] * 6
    one = by_name["Fig. 1"]
    assert one.choose(["sit", "golf", "throw"]) == 2
    assert one.choose(["sit", "throwdiscus"]) == 1
    assert one.choose(["sit", "pick"]) == 0
    assert one.stand_in("ThrowDiscus") == ""
    assert "golf in the place of ThrowDiscus" in render(View(BOTH, ("with",), one), 1).alt


def test_a_figures_steps_include_the_sliders() -> None:
    for steps in (1, 3, 4, 40):
        chosen = positions(steps)
        assert (chosen[0], chosen[-1]) == (0, steps - 1)
        for step in range(steps):
            found = with_step(chosen, step)
            assert step in found
            assert found == sorted(set(found))
            assert len(set(found) - set(chosen)) <= 1


def test_bars_stand_at_their_values() -> None:
    view, (look, _) = View(BOTH, ("without",)), BOTH.looks
    page = render(view, 3).pixels.astype(int)
    blue = (page == (0, 114, 178)).all(-1)  # of appearance, whose bars are full
    columns = blue[395:485, 42:512].sum(0)
    heights = [columns[int(470 / T * (t + 0.2))] - 1 for t in range(T)]
    expected = 78 * look.beta["appearance"][2] / BOTH.most
    np.testing.assert_allclose(heights, expected, atol=2)


def test_exports_can_be_read_again(tmp_path: Path) -> None:
    view, drawn = VIEWS[0], [render(VIEWS[0], t).pixels for t in range(1, T + 1)]
    with Image.open(export(view, tmp_path / "new" / "view.png", 2)) as image:
        np.testing.assert_array_equal(np.asarray(image), drawn[1])
    for ending in (".gif", ".mp4"):
        film = read_frames(export(view, tmp_path / f"view{ending}"))
        assert len(film) == T
        for step, frame in enumerate(film, start=1):
            height, width = frame.shape[:2]
            apart = [cv2.absdiff(frame, one[:height, :width]).mean() for one in drawn]
            assert int(np.argmin(apart)) == step - 1  # each step in its place
            assert apart[step - 1] < 6


def test_other_endings_and_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.mp4, \.avi, \.gif"):
        export(VIEWS[0], tmp_path / "view.xyz")
    (tmp_path / "file").touch()
    for ending in (".png", ".gif"):
        with pytest.raises(StoreError):
            export(VIEWS[0], tmp_path / "file" / f"view{ending}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_names_of_exports_are_names_of_files() -> None:
    odd = View(replace(BOTH, title="../a b/c: *?.mp4"), ("with",), PRESETS[0])
    name = export_name(odd, ".png", 3)
    assert name.endswith("-with-step_3.png")
    assert not set(name) & set('/\\:*?" ')
    assert not name.startswith(".")
