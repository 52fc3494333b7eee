"""Packed images: exact, small, read one at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from rstan_lite.features.inputs import Images, pack
from rstan_lite.system.errors import StoreError


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
