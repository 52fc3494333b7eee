"""The HMDB51 reader: 6,766 clips of 51 actions, three splits, no silhouettes."""

from __future__ import annotations

from rstan_lite.data.folders import ClassFolders
from rstan_lite.data.splits import read_class_lists, source_video


class HMDB51(ClassFolders):
    """HMDB51. For the options and errors see `ClipDataset`, for the folders `ClassFolders`.

    root: holds `testTrainMulti_7030_splits` and `hmdb51_org`.
    A split uses 70 training and 30 test clips of each class; its lists mark the others as unused.
    A clip's source is what its name holds before the class.
    """

    NAME, TITLE = "hmdb51", "HMDB51"
    VIDEOS, LISTS, CLASSES = "hmdb51_org", "testTrainMulti_7030_splits", 51
    OFFICIAL = ((3570, 1530), (3570, 1530), (3570, 1530))

    def _source(self, name: str, action: str) -> str:
        return source_video(name, action)

    def _read_lists(self) -> dict[str, dict[str, int]]:
        return read_class_lists(self.root / self.LISTS, self.split)
