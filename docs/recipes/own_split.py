"""Say yourself which clips are tested: python own_split.py CLIPS WORD

A clip whose path holds WORD is tested, for example the name of a person or of a camera.
"""

import csv
import sys
from pathlib import Path

from rstan_lite.data.video import is_video

clips, word = Path(sys.argv[1]), sys.argv[2]
with (clips / "split.csv").open("w", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    table.writerow(["clip", "class", "part"])
    for video in sorted(clips.glob("*/**/*")):
        inside = video.relative_to(clips)
        if inside.parts[0] != "masks" and video.is_file() and is_video(video):
            part = "test" if word in str(inside) else "train"
            table.writerow([video.name, inside.parts[0], part])
