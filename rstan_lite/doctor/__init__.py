"""`rstan-lite doctor`: what works on this machine, and what to do about the rest."""

from rstan_lite.doctor.check import Check
from rstan_lite.doctor.cli import add_parser, examine

__all__ = ["Check", "add_parser", "examine"]
