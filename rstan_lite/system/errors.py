"""The package's own exceptions: every complaint about an input is one of these."""

from os import PathLike


class RstanError(Exception):
    """A complaint that a user can act on.

    where: the file, folder or option at fault.
    found, expected: what is there, and what should be.
    hint: what to do about it, where that is known.
    """

    def __init__(self, where: str | PathLike[str], found: str, expected: str, hint: str = ""):
        self.where, self.found, self.expected, self.hint = str(where), found, expected, hint
        super().__init__(self.where, found, expected, hint)  # the four: so that it pickles

    def __str__(self) -> str:
        text = f"{self.where}: found {self.found}; expected {self.expected}."
        return f"{text} {self.hint}" if self.hint else text


class DataError(RstanError):
    """A clip, silhouette, split list or data folder is missing, damaged or inconsistent."""


class StoreError(RstanError):
    """A feature store can't be written, is damaged, or was made with other settings."""


class ConfigError(RstanError):
    """An option has an unknown name or a value outside its range."""


class DeviceError(RstanError):
    """A device was asked for that this machine lacks."""


class CheckpointError(RstanError):
    """A checkpoint or a run folder is missing, damaged or from another model."""


class NotebookError(RstanError):
    """A notebook, or a parameter handed to it, is not as it must be."""


class BusyError(RstanError):
    """Another process is at the same work in the same folder."""
