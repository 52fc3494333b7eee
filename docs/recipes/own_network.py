"""Use any module as the appearance network: python own_network.py CLIPS RUN

`make` returns a network for RGB images (B, 3, H, W). Two of its layers become cube and vector.
"""

import sys

from safetensors.torch import save_file
from torch import nn

from rstan_lite.cli.main import main


def make() -> nn.Module:
    """A network of your own, here without training."""
    body = nn.Sequential(nn.Conv2d(3, 32, 7, stride=16, padding=3), nn.ReLU())
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


if __name__ == "__main__":
    clips, run, *more = sys.argv[1:]
    save_file(make().state_dict(), "own_network.safetensors")
    command = ["train", "--dataset", "folder", "--root", clips, "--profile", "tiny", "--out", run]
    command += ["--backbone", "python:own_network.make:0:2", "--motion-backbone", "puppetnet"]
    sys.exit(main([*command, "--appearance-weights", "own_network.safetensors", *more]))
