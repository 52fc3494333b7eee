"""`python -m rstan_lite`: the command `rstan-lite`, also where its script is not on the path."""

import sys

from rstan_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
