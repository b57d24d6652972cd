"""The one hierarchy of errors a caller can meet, and what each means for an exit code.

Every message is one line: what is wrong, where, and what to do.  Each error
also derives from the built-in that a caller of Python would expect.
"""


class StableTilesError(Exception):
    """Something went wrong while working; the work done so far is kept."""


class InputError(StableTilesError, ValueError):
    """The request or its input is wrong; found before any work started."""


class SettingsError(InputError):
    """A setting is unknown, of the wrong type, or out of its range."""


class StoreNotFound(InputError, FileNotFoundError):
    """No file or store at that path."""


class NotAnImage(InputError):
    """The path exists but holds no image that can be read."""


class OutputExists(InputError, FileExistsError):
    """The output exists already and nothing said to replace it."""


class RunNotFound(InputError, FileNotFoundError):
    """No trained run was found, or the path is not a run."""


class ModelError(InputError):
    """A model's files are damaged, or do not fit the image."""


class DeviceUnavailable(InputError):
    """The device that was asked for is not on this machine."""


class FingerprintMismatch(InputError):
    """An unfinished output belongs to other inputs, options or another model."""


class MissingExtra(InputError, ImportError):
    """An optional package is needed for this; the message holds the install line."""


class StoreUnreachable(StableTilesError, OSError):
    """A store behind a URL does not answer, refuses, or fails again and again."""


class WorkFailed(StableTilesError, RuntimeError):
    """Part of the work failed for good; the message names which part."""


class Interrupted(StableTilesError):
    """The work was asked to stop (SIGINT, SIGTERM) and can be resumed."""


def first_line(error: BaseException) -> str:
    """One printable line for any exception: its first line, or its type's name."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
