"""The fast recurrence: what rstan_lite.model.rstan.run_plain computes, sooner and in less memory.

Written from the equations, a training step of RSTAN does the same work over and over and keeps what
it could compute again. Here is what this package does about it, and where:

1. What is the same at every step leaves the loop (forward.py): U_x x of Eq. 8-11 and A_cv CV of
   Eq. 2. The plain recurrence does so too; of what follows, nothing.
2. Eq. 2 without an exponential at a place (places.py). With a = A_cv CV and g = A_h h + b_a,
   tanh(a + g) = 1 - 2 / (1 + exp(2a) exp(2g)): exp(2a) is computed once a clip, exp(2g) once a
   step for a whole video. The 1 adds the same to all places of a frame, and Eq. 3 does not see it.
   It works block by block, so that no number of (B, N, P, d_att) is written to memory.
3. A gradient through time of its own (backward.py, recurrence.py). It keeps h, c, the gates and the
   weights alpha and beta, and computes tanh and L again. Where autograd keeps B T N P d_att numbers
   a stream, this keeps B T P d_att, once for A_cv CV and once for its gradient, which all steps
   share; what is left of order T N is alpha, smaller by the factor d_att.
4. Gradients of matrices after the loop. U_h, U_phi, A_h and B_h are used at every step; autograd
   adds up T gradients of each, every one a product of B rows. Here the rows of all steps wait, and
   one product of B T rows gives the sum: sum_t d_t^T h_{t-1} = D^T H, with D and H stacked over t.
   For the same reason U_h, A_h and B_h are one matrix: h is multiplied once a step, not thrice.
5. Products by the fastest multiplication at hand (operations.py).

All streams go through the loop together: what does not depend on d_cv is one tensor with a leading
axis of streams.

The result differs from the plain one by rounding alone: tests hold both to the oracle in float64
and to each other in float32; under bfloat16 autocast this one rounds no more than the plain one, as
only its products are in bfloat16. The same seed draws the same dropout. Gradients can be taken
once: second derivatives, torch.func and forward-mode differentiation need recurrence="plain".
benchmarks/README.md has the figures.
"""

from rstan_lite.model.fast.recurrence import Plan, choose_plan, run_fast

__all__ = ["Plan", "choose_plan", "run_fast"]
