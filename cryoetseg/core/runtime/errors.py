"""Typed errors. Each says, in one line, what was got, what is allowed and what to do."""
import errno

ERROR_FILE = "CRYOETSEG_ERROR_FILE"  # variable: a file for the line of an error, for programs that start this one

# What CUDA, cuDNN, cuBLAS, cuFFT, cuSOLVER, ROCm, Metal and the processor's allocator say when memory ran out. A library whose handle or
# plan finds no room does not speak of memory at all.
OUT_OF_MEMORY = (
    "out of memory", "out_of_memory", "can't allocate memory", "cannot allocate memory", "failed to allocate", "not enough memory",
    "unable to allocate", "alloc_failed", "cublas_status_not_initialized", "cudnn_status_not_initialized",
    "cusolver_status_not_initialized", "unable to find a valid cudnn algorithm",
    "unable to find an engine to execute", "insufficient resources", "cudaerrormemoryallocation", "nvml_success == r", "bad_alloc",
    "out of shared memory", "unable to allocate shared memory", "could not create a primitive", "could not create a memory",
    "failed to map segment",
)


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


class FolderBusyError(JobError):
    """Another run is working in the output folder."""

    exit_code = 9


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on the processor or on a GPU.

    Torch's processor allocator and the libraries of GPUs raise a plain RuntimeError, so their words have to decide.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    plain = isinstance(error, (RuntimeError, OSError, ImportError)) or type(error).__name__ == "SafetensorError"
    return plain and any(phrase in str(error).lower() for phrase in OUT_OF_MEMORY)


def lacks_memory(error: "BaseException | None") -> bool:
    """Whether memory ran out, in ``error`` itself or in what it was raised from."""
    while error is not None:
        if isinstance(error, MemoryLimitError) or is_out_of_memory(error):
            return True
        error = error.__cause__
    return False
