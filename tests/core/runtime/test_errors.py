"""Every error is one line that says what was got, what is allowed and what to do, with a code of its own."""

import errno

import pytest

from cryoetseg.core.runtime import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CryoetsegError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_says_all_three_in_one_line(kind):
    text = str(kind("got 3", "1 or 2", "choose another"))
    assert text == "got 3. Allowed: 1 or 2. What to do: choose another."


def test_what_is_not_said_leaves_no_trace():
    assert str(errors.InputError("the file is empty.")) == "the file is empty."


def test_exit_codes_are_distinct_and_none_is_success():
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes


SAID = ["CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED", "cuFFT error: CUFFT_ALLOC_FAILED", "HIP out of memory. Tried to allocate",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", "CUBLAS_STATUS_ALLOC_FAILED",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED", "MPS backend out of memory (MPS allocated: 1 GB)",
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory",
        "unable to find an engine to execute this computation", "NVML_SUCCESS == r INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp",
        "cudaErrorMemoryAllocation", "std::bad_alloc", "could not create a primitive",
        "DataLoader worker is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory."]


@pytest.mark.parametrize("words", SAID)
def test_what_libraries_say_when_memory_runs_out_is_known(words):
    assert errors.is_out_of_memory(RuntimeError(words))


def test_a_library_that_finds_no_room_is_a_lack_of_memory():
    assert errors.is_out_of_memory(ImportError("x.so: failed to map segment from shared object: Cannot allocate memory"))
    assert not errors.is_out_of_memory(ImportError("no module named torch"))


def test_other_failures_are_not_taken_for_lack_of_memory():
    for error in (RuntimeError("CUDA error: device-side assert triggered"), ValueError("out of memory"), OSError(errno.EACCES, "denied")):
        assert not errors.is_out_of_memory(error)


def test_a_lack_of_memory_is_found_behind_an_error_that_says_something_else():
    def fails():
        try:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        except OSError as error:
            raise errors.InputError("a.mrc cannot be read", "a file this user may read") from error

    with pytest.raises(errors.InputError) as caught:
        fails()
    assert errors.lacks_memory(caught.value)
    assert not errors.lacks_memory(errors.InputError("a.mrc cannot be read"))
