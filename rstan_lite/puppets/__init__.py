"""Generated clips of jointed people, in JHMDB's layout, for who has no data at hand.

`generate` writes a folder that the JHMDB reader reads. Results on these clips are results on
puppets, never on JHMDB.
"""

from .actions import CLASSES
from .dataset import TOUR, VERSION, generate

__all__ = ["CLASSES", "TOUR", "VERSION", "generate"]
