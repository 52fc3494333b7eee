"""Read clips from a list of your own: python own_reader.py CLIPS

CLIPS/list.csv has the header `file,class,part`, and a line a video: its part is train or test.
"""

import csv
import sys
from pathlib import Path

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.splits import TEST, TRAIN


class Listed(ClipDataset):
    has_silhouettes, VIDEOS = False, ""

    def _find_layout(self):
        with open(self.root / "list.csv", newline="", encoding="utf-8") as f:
            self._rows = {f"{i}-{Path(r['file']).stem}": r for i, r in enumerate(csv.DictReader(f))}
        return ""  # the folder of the clips, below the root

    def _lists(self):  # a clip's name is also the name of its file of features
        parts, codes = {}, {"train": TRAIN, "test": TEST}
        for name, row in self._rows.items():
            parts.setdefault(row["class"], {})[name] = codes[row["part"]]
        return parts

    def _clip(self, name, action, label):
        return Clip(name, action, label, self.root / self._rows[name]["file"], None, source=name)


if __name__ == "__main__":
    print(len(Listed(sys.argv[1], validation=0).train), "training clips")
