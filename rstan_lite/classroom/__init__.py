"""Run notebooks with typed parameters, and turn them into pages that need no internet."""

from rstan_lite.classroom.notebook import run_notebook
from rstan_lite.classroom.notebook_parameters import Parameter, notebook_parameters

__all__ = ["Parameter", "notebook_parameters", "run_notebook"]
