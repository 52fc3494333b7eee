"""RSTAN, the recurrent spatial-temporal attention network, step by step."""

__version__ = "0.1.0"
