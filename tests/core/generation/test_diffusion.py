"""The schedule and the samplers against closed forms. Data of known distribution stand in for particles: for white Gaussian data
the best network is known, so that what a sampler gives can be told exactly."""
import math

import numpy as np
import pytest
import torch

from cryoetseg.core.generation.diffusion import NoiseSchedule, clean_from_answer, sample
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.seeds import torch_generator

MEAN, DEVIATION = 1.5, 0.6
SHAPE = (1, 1, 8, 8, 8)


class BestGuess:
    """The network that a perfect training on Gaussian voxels of mean 1.5 and deviation 0.6 would give."""

    def __init__(self, schedule):
        self.schedule, self.kept = schedule, schedule.kept().float()

    def __call__(self, noisy, steps, classes, positions):
        kept = self.kept[steps.long()][:, None, None, None, None]
        gain = kept.sqrt() * DEVIATION**2 / (kept * DEVIATION**2 + 1 - kept)
        clean = MEAN + gain * (noisy - kept.sqrt() * MEAN)
        return clean if self.schedule.answer == "sample" else (kept.sqrt() * noisy - clean) / (1 - kept).sqrt()


def drawn(schedule, sampler, steps, seed=0, count=8):
    generators = [torch_generator(seed, "volume", number) for number in range(count)]
    return sample(BestGuess(schedule), schedule, torch.zeros(count, 1), torch.full((count, 3), 0.5), 16, sampler=sampler, steps=steps,
                  generators=generators)


def test_the_schedule_is_the_published_one():
    schedule = NoiseSchedule()
    assert float(schedule.kept()[999]) == pytest.approx(4.036e-5, rel=1e-3)
    assert schedule.bound() == pytest.approx(0.7245, abs=1e-4)
    assert [round(float(schedule.kept()[step]), 3) for step in (100, 300, 500)] == [0.895, 0.394, 0.078]


def test_the_cosine_schedule_keeps_the_squared_cosine():
    schedule = NoiseSchedule(kind="cosine")
    expected = math.cos((0.5 + 0.008) / 1.008 * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    assert float(schedule.kept()[499]) == pytest.approx(expected, rel=2e-2)  # clipped at 1e-4 in the first steps
    assert schedule.betas().max() <= 0.999
    times = np.arange(51) / 50  # steps too long for the clipping, but for the last
    squared = np.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    np.testing.assert_allclose(NoiseSchedule(steps=50, kind="cosine").kept()[:-1], squared[1:-1] / squared[0], rtol=1e-9)


def test_a_card_tells_all_of_a_schedule():
    schedule = NoiseSchedule(70, "cosine", 2e-4, 3e-2, "velocity")
    assert NoiseSchedule(**schedule.record()) == schedule


@pytest.mark.parametrize("step", [999, 500, 20, 1])
def test_one_reverse_step_is_the_closed_form_posterior(step):
    schedule = NoiseSchedule()
    rng = np.random.default_rng(3)
    clean, noisy = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    beta, kept = schedule.betas()[step], np.cumprod(1 - schedule.betas())
    mean = (beta * np.sqrt(kept[step - 1]) * clean + (1 - kept[step - 1]) * np.sqrt(1 - beta) * noisy) / (1 - kept[step])
    deviation = np.sqrt(beta * (1 - kept[step - 1]) / (1 - kept[step]))
    generator = torch_generator(0, "noise")
    noise = torch.randn(SHAPE, generator=torch_generator(0, "noise"), dtype=torch.float64).numpy()
    stepped = schedule.training().step(torch.from_numpy(clean), step, torch.from_numpy(noisy), generator=generator).prev_sample
    assert np.abs(stepped.numpy() - (mean + deviation * noise)).max() < 1e-6


def test_the_last_reverse_step_is_the_clean_estimate():
    clean = torch.full(SHAPE, -7.0)  # far beyond 1: nothing is clipped
    stepped = NoiseSchedule().training().step(clean, 0, torch.randn(SHAPE)).prev_sample
    torch.testing.assert_close(stepped, clean)
    scheduler = NoiseSchedule().sampling("ddim", 4)
    torch.testing.assert_close(scheduler.step(clean, int(scheduler.timesteps[-1]), torch.randn(SHAPE)).prev_sample, clean)
    # in single precision 1 - abar of the first step is off by 1e-4 of itself
    assert float(1 - scheduler.alphas_cumprod[0]) == pytest.approx(1e-4, rel=1e-9)


def test_steps_of_the_solver_are_even_in_the_logarithm_of_signal_to_noise():
    schedule = NoiseSchedule()
    kept = schedule.kept()[schedule.sampling("dpm_solver", 20).timesteps.clone()]
    lengths = -np.diff((1 - kept).log() - kept.log())
    assert lengths.max() < 1.5 * lengths.min()


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", 1000), ("ddpm", 250), ("ddim", 100), ("dpm_solver", 20)])
def test_full_and_strided_sampling_give_the_mean_and_variance_of_the_data(sampler, steps):
    volumes = drawn(NoiseSchedule(), sampler, steps)
    assert float(volumes.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(volumes.std()) == pytest.approx(DEVIATION, rel=0.05)


def test_velocity_and_clean_volume_say_the_same():
    schedule = NoiseSchedule(answer="velocity")
    scheduler, steps = schedule.training(), torch.tensor([10, 700])
    clean, noise = torch.randn(2, 1, 8, 8, 8), torch.randn(2, 1, 8, 8, 8)
    noisy = scheduler.add_noise(clean, noise, steps)
    velocity = scheduler.get_velocity(clean, noise, steps)
    torch.testing.assert_close(clean_from_answer(scheduler, velocity, noisy, steps), clean, atol=1e-4, rtol=0)
    volumes = drawn(schedule, "ddpm", 50)
    torch.testing.assert_close(volumes, drawn(NoiseSchedule(), "ddpm", 50), atol=1e-3, rtol=0)


def test_a_volume_depends_on_its_seed_alone():
    schedule = NoiseSchedule()
    together, alone, other = drawn(schedule, "ddpm", 10, count=4), drawn(schedule, "ddpm", 10, count=1), drawn(schedule, "ddpm", 10, seed=1)
    torch.testing.assert_close(together[:1], alone)
    assert float((together[:1] - other[:1]).abs().max()) > 0.1
    assert torch.equal(together, drawn(schedule, "ddpm", 10, count=4))


def test_guidance_goes_from_the_answer_without_class_by_its_factor():
    torch.manual_seed(0)
    network = ConditionalUNet3d(2, 8).eval()
    kinds, places = torch.eye(2)[[0, 1, 0]], torch.linspace(0.1, 0.9, 9).reshape(3, 3)

    def made(classes, factor, dtype=torch.float32):
        return sample(network, NoiseSchedule(), classes, places, 8, sampler="ddim", steps=1, guidance=factor, dtype=dtype,
                      generators=[torch_generator(0, "volume", number) for number in range(3)])

    plain, none = made(kinds, 1.0), made(torch.zeros(3, 2), 1.0)
    torch.testing.assert_close(made(kinds, 2.0), none + 2 * (plain - none), atol=1e-5, rtol=1e-4)
    half = made(kinds, 1.0, torch.bfloat16)
    assert half.dtype == torch.float32
    assert 0 < float((half - plain).abs().max()) < 0.1


def test_more_steps_than_were_trained_are_refused():
    with pytest.raises(ParameterError, match="1 to 100"):
        NoiseSchedule(steps=100).sampling("ddim", 101)
