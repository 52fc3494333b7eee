"""The commands of `rstan-lite`: one file a family, thin; each imports what it runs when it runs."""

from rstan_lite.cli.main import build_parser, main

__all__ = ["build_parser", "main"]
