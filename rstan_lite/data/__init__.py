"""Clips on disk: readers of JHMDB, UCF101 and HMDB51, decoding, sampling, crops, silhouettes."""
