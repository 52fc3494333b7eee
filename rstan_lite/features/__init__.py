"""Section III-A: optical flow, the two streams' networks, and their features on disk."""
