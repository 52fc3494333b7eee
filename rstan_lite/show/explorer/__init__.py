"""The attention explorer: a clip, a checkpoint and a time step, seen from every side.

`open_checkpoints` and `Stage` make scenes of runs and clips, `render` draws a `View` of a scene as
pixels, `export` writes it to a file, and `explorer` puts controls beside it.
"""
