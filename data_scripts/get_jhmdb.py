"""Get JHMDB: download it, or adopt a copy, and check that it is complete."""

import sys

from fetch.command import main
from fetch.sources import JHMDB

if __name__ == "__main__":
    sys.exit(main(JHMDB))
