"""Videos of any length, beside the short clips of data sets."""
