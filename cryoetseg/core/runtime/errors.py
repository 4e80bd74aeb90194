"""Typed errors. Each says, in one line, what was got, what is allowed and what to do."""


class CryoetsegError(Exception):
    """Base of every error the package raises on purpose.

    Parameters: what was got, what is allowed instead, what to do about it (the last two may be empty).
    """

    exit_code = 1

    def __init__(self, got: str, allowed: str = "", advice: str = "") -> None:
        self.got, self.allowed, self.advice = got, allowed, advice
        parts = [got.rstrip(".")]
        if allowed:
            parts.append(f"Allowed: {allowed.rstrip('.')}")
        if advice:
            parts.append(f"What to do: {advice.rstrip('.')}")
        super().__init__(". ".join(parts) + ".")


class InputError(CryoetsegError):
    """A file or an array given to a method is missing, broken or does not fit."""

    exit_code = 2


class ParameterError(CryoetsegError):
    """A parameter is unknown, of the wrong type or outside its bounds."""

    exit_code = 3


class OutputError(CryoetsegError):
    """A result could not be written; nothing that existed before was touched."""

    exit_code = 4


class MemoryLimitError(CryoetsegError):
    """Not even the smallest batch and tile fit into memory."""

    exit_code = 5


class WeightsError(CryoetsegError):
    """A model folder is missing, incomplete or damaged."""

    exit_code = 6


class TrainingError(CryoetsegError):
    """Training cannot go on; the last good checkpoint is kept."""

    exit_code = 7


class JobError(CryoetsegError):
    """A job file cannot be read or names a method that does not exist."""

    exit_code = 8
