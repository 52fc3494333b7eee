"""Get UCF101: download it, or adopt a copy, and check that it is complete."""

import sys

from fetch.command import main
from fetch.sources import UCF101

if __name__ == "__main__":
    sys.exit(main(UCF101))
