"""`python -m rstan_lite.cli`, as older scripts have it."""

import sys

from rstan_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
