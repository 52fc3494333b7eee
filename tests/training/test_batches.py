"""Which clips, views and frames a mini-batch holds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training.synthetic import make_features

from rstan_lite.system.errors import DataError
from rstan_lite.training.batches import (
    epoch_rows,
    measure_scales,
    ordered_batches,
    read_batch,
    training_batch,
)


def test_an_epoch_holds_each_clip_at_most_once_and_depends_on_seed_and_epoch_alone():
    rows = torch.cat(epoch_rows(50, 8, seed=3, epoch=5))
    assert len(rows) == 48 == len(set(rows.tolist()))
    assert torch.equal(rows, torch.cat(epoch_rows(50, 8, seed=3, epoch=5)))
    assert not torch.equal(rows, torch.cat(epoch_rows(50, 8, seed=3, epoch=6)))
    assert not torch.equal(rows, torch.cat(epoch_rows(50, 8, seed=4, epoch=5)))
    assert len(epoch_rows(5, 8, seed=0, epoch=0)) == 1  # fewer clips than a batch


def test_a_batch_reads_the_named_clip_view_and_frames():
    features = make_features(6, views=3, stored=5)
    rows, views = torch.tensor([4, 1]), torch.tensor([2, 0])
    frames = torch.tensor([[0, 3], [1, 4]])
    batch = read_batch(features, rows, views, frames, "cpu")
    cube = torch.from_numpy(np.asarray(features.cubes["motion"][4, 2, [0, 3]], np.float32))
    assert torch.equal(batch.cubes["motion"][0], cube)
    assert torch.equal(batch.target[1], features.target[1, 0, [1, 4]])
    assert batch.labels.tolist() == [int(features.labels[4]), int(features.labels[1])]
    assert batch.vectors["appearance"].dtype == torch.float32


def test_memory_mapped_arrays_and_tensors_give_the_same(tmp_path):
    features = make_features(6)
    path = tmp_path / "cubes.npy"
    np.save(path, features.cubes["motion"])
    mapped = dict(features.cubes, motion=np.load(path, mmap_mode="r"))
    tensors = dict(features.cubes, motion=torch.from_numpy(features.cubes["motion"]))
    expected = training_batch(features, torch.tensor([5, 2]), 2, 0, 0, "cpu").cubes["motion"]
    for cubes in (mapped, tensors):
        features.cubes = cubes
        found = training_batch(features, torch.tensor([5, 2]), 2, 0, 0, "cpu").cubes["motion"]
        assert torch.equal(found, expected)


def test_training_draws_views_and_phases_anew_each_iteration():
    features = make_features(8, views=2, stored=8)
    rows = torch.arange(8)
    first = training_batch(features, rows, 2, 0, 0, "cpu")
    again = training_batch(features, rows, 2, 0, 0, "cpu")
    later = training_batch(features, rows, 2, 0, 1, "cpu")
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.target, later.target)


def test_ordered_batches_hold_every_clip_once_in_order():
    rows = [batch.rows.tolist() for batch in ordered_batches(make_features(7), 3, 2, "cpu")]
    assert rows == [[0, 1, 2], [3, 4, 5], [6]]


def test_scales_bring_features_to_a_root_mean_square_of_one():
    features = make_features(12)
    features.cubes["motion"] *= 8
    scales = measure_scales(features)
    features.scales = scales
    rows, views, frames = torch.arange(12), torch.zeros(12).long(), torch.arange(4).expand(12, -1)
    batch = read_batch(features, rows, views, frames, "cpu")
    for tensors in (batch.cubes, batch.vectors):
        for x in tensors.values():
            assert float(x.square().mean().sqrt()) == pytest.approx(1.0, rel=1e-3)
    assert scales["motion"][0] > 4 * scales["appearance"][0]


def test_features_that_do_not_fit_each_other_are_refused():
    features = make_features(4)
    with pytest.raises(DataError, match="stream motion"):
        replace(features, vectors=features.vectors | {"motion": features.vectors["motion"][:3]})
