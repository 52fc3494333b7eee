"""Clips on disk: decoding, sampling, transforms, silhouettes and the JHMDB reader."""
