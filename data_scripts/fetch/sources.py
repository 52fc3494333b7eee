"""Where each data set comes from: folders, archives, checksums, addresses."""

from __future__ import annotations

from dataclasses import dataclass

ADOPT = "or give a copy that is there already, folders or archives, with --adopt PATH."


@dataclass(frozen=True)
class Piece:
    """A folder of a data set, and the archive that holds it.

    archive: its name at the official address; empty where there is none, and a copy may still be
    adopted. md5: as published, empty where it is not. nested: an archive of archives.
    """

    folder: str
    archive: str = ""
    md5: str = ""
    nested: bool = False


@dataclass(frozen=True)
class Source:
    """A data set: its name in `datasets.DATASETS`, its address, and its pieces.

    pieces: of each, the forms that it may have; one of them is enough, and the first is fetched.
    dead: what to do where the address is.
    """

    name: str
    base: str
    pieces: tuple[tuple[Piece, ...], ...]
    dead: str


JHMDB = Source(
    "jhmdb",
    "https://files.is.tue.mpg.de/jhmdb/",
    (
        (Piece("splits", "splits.zip", "15b9f2f7a99d63c07f3be0c9ecde43b5"),),
        (Piece("puppet_mask", "puppet_mask.zip", "eebf6c6c71faa16709b709b758710d17"),),
        (
            Piece("ReCompress_Videos", "JHMDB_video.zip", "0aca5af988892c8c2afe652a30544b8c"),
            Piece("Rename_Images", "Rename_Images.tar.gz", "23726fbac4bc69a726dc3daf2e7ab4c1"),
        ),
    ),
    "The official address of JHMDB was reported dead in October 2025. Ask its authors "
    f"(http://jhmdb.is.tue.mpg.de), {ADOPT}",
)
UCF101 = Source(
    "ucf101",
    "https://www.crcv.ucf.edu/data/UCF101/",
    (
        (Piece("ucfTrainTestlist", "UCF101TrainTestSplits-RecognitionTask.zip"),),
        (Piece("UCF-101", "UCF101.rar"), Piece("frames")),
    ),
    f"Look at https://www.crcv.ucf.edu/data/UCF101.php for the present address (--url), {ADOPT}",
)
HMDB51 = Source(
    "hmdb51",
    "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/",
    (
        (Piece("testTrainMulti_7030_splits", "test_train_splits.rar"),),
        (Piece("hmdb51_org", "hmdb51_org.rar", nested=True), Piece("frames")),
    ),
    "The address may be dead. Ask the authors (https://serre-lab.clps.brown.edu/resource/"
    f"hmdb-a-large-human-motion-database), {ADOPT}",
)
SOURCES = {source.name: source for source in (JHMDB, UCF101, HMDB51)}
