"""Devices: what is asked for by name must exist; nothing falls back silently."""

import pytest
import torch

from cryoetseg.core.runtime.device import autocast_dtype, choose_device
from cryoetseg.core.runtime.errors import ParameterError


def test_the_processor_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_a_device_that_computes():
    device = choose_device("auto")
    assert torch.ones(2, device=device).sum().item() == 2


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_missing_gpu_is_an_error(name):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ParameterError, match=r"not available here.*cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "tpu:1"])
def test_an_unknown_name_is_an_error(name):
    with pytest.raises(ParameterError, match="auto"):
        choose_device(name)


def test_the_choice_is_logged(caplog):
    with caplog.at_level("INFO", logger="cryoetseg"):
        choose_device("cpu")
    assert "device: cpu" in caplog.text


def test_reduced_precision_computes_on_this_device():
    dtype = autocast_dtype(torch.device("cpu"))
    assert dtype in (torch.bfloat16, torch.float32)
    assert torch.ones(4, 4, dtype=dtype).matmul(torch.ones(4, 4, dtype=dtype)).sum().item() == 64
