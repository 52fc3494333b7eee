"""Improved dense trajectories with Fisher vectors, the hand-crafted system fused with RSTAN."""
