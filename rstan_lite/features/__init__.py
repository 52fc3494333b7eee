"""Section III-A: optical flow, two-stream networks, and their features on disk."""
