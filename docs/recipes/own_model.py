"""Give RSTAN's features to a model of your own: python own_model.py RUN"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from rstan_lite.lab.library.torch_datasets import StoredFeatures
from rstan_lite.training.config import read_config
from rstan_lite.training.parts import load_parts, scaled

config = read_config(Path(sys.argv[1]) / "config.json")
parts = scaled(config, load_parts(config))
size = sum(array.shape[-1] for array in parts.train.vectors.values())
model = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, len(parts.train.classes)))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
for _ in range(5):
    for clips in DataLoader(StoredFeatures(parts.train, config.frames), 16, shuffle=True):
        frames = torch.cat(list(clips["vectors"].values()), -1)  # (B, T, d_fc of both)
        loss = nn.functional.cross_entropy(model(frames.mean(1)), clips["label"])
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    print(f"loss {loss.item():.2f}")
