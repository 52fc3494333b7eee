"""Train on a folder of your own videos, CLIPS/<class>/<video>: python own_clips.py CLIPS RUN"""

import sys

from rstan_lite import load
from rstan_lite.cli.main import main
from rstan_lite.lab.library.trained_model import TrainedModel

clips, run, *more = sys.argv[1:]
command = ["train", "--dataset", "folder", "--root", clips, "--profile", "tiny", "--out", run]
if main([*command, *more]):
    sys.exit(1)
load(run).save_pretrained(f"{run}-to-share")  # opens on any machine
print("classes:", *TrainedModel.from_pretrained(f"{run}-to-share").classes)
