"""Files of torch.save, read without running anything."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch


def load_torch(file: Path | BytesIO, device: str = "cpu") -> Any:
    """What a torch file holds: tensors and plain values, never code.

    Raises ValueError for one that is compressed: torch writes none, and it may unpack to any size.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("a compressed archive")
    if isinstance(file, BytesIO):
        file.seek(0)
    return torch.load(file, map_location=device, weights_only=True)
