"""Train with a third stream, made by a function of your own: python own_stream.py CLIPS RUN

`edges` takes the frames of a clip and returns a picture of each. Pose or depth maps work alike.
"""

import sys

import numpy as np

from rstan_lite.cli.main import main


def edges(frames, path, index):
    """Pictures uint8 (T, H, W, 3) of frames uint8 (T, H, W, 3): the grey, and its two slopes."""
    grey = frames.mean(-1)
    down, right = np.gradient(grey, axis=1), np.gradient(grey, axis=2)
    return np.stack([grey, 128 + down / 2, 128 + right / 2], -1).astype(np.uint8)


if __name__ == "__main__":
    clips, run, *more = sys.argv[1:]
    command = ["train", "--dataset", "folder", "--root", clips, "--profile", "tiny", "--out", run]
    command += ["--streams", "appearance,motion,edges", "--inputs", "edges=own_stream:edges"]
    sys.exit(main([*command, *more]))
