"""Stores: atomic, keyed, resumed, refused; and the packed images in them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rstan_lite.data.jhmdb import Clip
from rstan_lite.features.inputs import Images
from rstan_lite.features.store import Store
from rstan_lite.lab.tuning_images import pack
from rstan_lite.system.errors import DataError, StoreError


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clips" / "odd !(+@) name.avi"
    path.parent.mkdir()
    path.write_bytes(b"some frames")
    return Clip(path.stem, "wave", 0, path, path, "src")


@pytest.fixture
def stored(tmp_path, clip):
    one = Store(tmp_path / "store", {"size": 224, "view": "centre"})
    one.write(clip, {"cubes": torch.arange(12.0).half().view(3, 4)})
    return one


def test_reads_back_until_the_clip_changes(stored, clip):
    assert stored.missing([clip]) == []
    torch.testing.assert_close(stored.read(clip, "cubes"), torch.arange(12.0).half().view(3, 4))
    again = Store(stored.folder, {"view": "centre", "size": 224})
    assert again.missing([clip]) == []
    clip.path.write_bytes(b"other frames")
    assert stored.missing([clip]) == [clip]


def test_what_is_made_of_silhouettes_is_made_anew_when_they_change(stored, clip, tmp_path):
    drawn = tmp_path / "masks.npz"
    drawn.write_bytes(b"somebody")
    clip = replace(clip, mask_path=drawn)
    target = Store(tmp_path / "target", {"places": 4})
    target.write(clip, {"target": torch.ones(3, 4)})
    stored.write(clip, {"cubes": torch.ones(3, 4)})
    assert target.missing([clip]) == []
    drawn.write_bytes(b"somebody else")
    assert target.missing([clip]) == [clip]
    assert stored.missing([clip]) == [], "features of the frames alone"
    target.write(clip, {"target": torch.ones(3, 4)})
    assert target.missing([clip]) == []
    assert target.missing([replace(clip, mask_path=None)]) == [replace(clip, mask_path=None)]


def test_other_key_is_refused_and_nothing_is_lost(stored, clip):
    with pytest.raises(StoreError, match=r'key\.json: found .*"size": 224.*expected .*"size": 192'):
        Store(stored.folder, {"size": 192, "view": "centre"})
    assert stored.missing([clip]) == []


@pytest.mark.parametrize("part", ["name", "action"])
def test_a_name_that_leads_out_of_the_store_is_refused(stored, clip, part):
    with pytest.raises(DataError, match="expected a plain clip name"):
        stored.path(replace(clip, **{part: "../../wave"}))


def test_damaged_file(stored, clip):
    path = stored.path(clip)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(StoreError, match=r"name\.safetensors: found a missing or damaged file"):
        stored.read(clip, "cubes")
    (stored.folder / "key.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"key\.json: found an unreadable file"):
        Store(stored.folder, {"size": 224})


def unpack(stored, name="flow"):
    return Images(*(stored[name + end] for end in ("", ".ends", ".shape")))


@given(
    array_shapes(min_dims=3, max_dims=3, max_side=9).flatmap(
        lambda shape: st.sampled_from([(), (1,), (2,), (3,)]).flatmap(
            lambda last: arrays(np.uint8, shape + last)
        )
    )
)
def test_every_image_comes_back_as_it_was(images):
    packed = unpack(pack("flow", images))
    assert packed.shape == images.shape
    assert len(packed) == len(images)
    for i in range(len(images)):
        np.testing.assert_array_equal(packed[i], images[i])
    np.testing.assert_array_equal(np.stack(list(packed)), images)


def test_inputs_are_stored_in_a_fraction_of_their_size(data, inputs):
    """Against the same tensors as they are, on clips whose ground is noise: hardest to compress."""
    for clip in data.test:
        whole = sum(inputs.read(clip, n).numpy().nbytes for n in ("frames", "flow", "masks"))
        assert inputs.path(clip).stat().st_size < 0.6 * whole


def test_damage_is_said():
    stored = pack("flow", np.zeros((2, 4, 5), np.uint8))
    stored["flow"][:20] = 0
    packed = unpack(stored)
    assert packed[1].shape == (4, 5)
    with pytest.raises(StoreError, match="stored images: found images that do not decode"):
        packed[0]
