"""A training loop of your own over stored features, with a loss of your own: python own_loop.py RUN

The loss adds the entropy of the attention over places, which makes the maps sharper. One epoch.
"""

import sys

import torch
from torch.utils.data import DataLoader

from rstan_lite import losses
from rstan_lite.lab.library.torch_datasets import StoredFeatures
from rstan_lite.training.config import read_config
from rstan_lite.training.parts import load_parts, scaled
from rstan_lite.training.train import build_model

config = read_config(f"{sys.argv[1]}/config.json")
parts = scaled(config, load_parts(config))
model = build_model(config, parts.train)
optimizer = torch.optim.SGD(model.parameters(), config.lr, momentum=config.momentum)
data = StoredFeatures(parts.train, config.frames)
for clips in DataLoader(data, config.batch_size, shuffle=True):
    output = model(clips["cubes"], clips["vectors"])
    alpha = output.alpha_diagonal  # (B, T, P)
    entropy = -(alpha * alpha.clamp_min(1e-9).log()).sum(-1).mean()
    loss = losses.main_loss(output, clips["label"]) + 0.1 * entropy
    optimizer.zero_grad(), loss.backward(), optimizer.step()
    print(f"loss {loss.item():.2f}")
