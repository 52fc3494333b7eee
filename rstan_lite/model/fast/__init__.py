from rstan_lite.model.fast.plan import Plan, choose_plan
from rstan_lite.model.fast.run import run_fast

__all__ = ["Plan", "choose_plan", "run_fast"]
