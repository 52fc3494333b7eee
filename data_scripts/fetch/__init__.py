"""Getting the data sets: download or adopt, unpack safely, and say what is complete."""
