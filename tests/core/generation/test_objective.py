"""What the generator learns: from which cubes, with which noise, told which class and place, and on what it is judged."""
import numpy as np
import pytest
import torch
from torch import nn

from cryoetseg.core.generation import train as module
from cryoetseg.core.generation.data import half_turn, open_particles
from cryoetseg.core.generation.model import load_generator
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.generation.params import TrainGeneratorParameters
from cryoetseg.core.generation.train import GeneratorTask, noise_schedule, write_examples
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.runtime.seeds import numpy_generator, torch_generator
from cryoetseg.core.training.checkpoint import load_weights
from cryoetseg.core.training.task import Selection, Step

SMALL = {"box_px": 16, "channels": 8, "noise_steps": 50, "validation_items": 6, "class_dropout": 0.0, "position_dropout": 0.0,
         "turn": False}


class Known(nn.Module):
    """A network whose answer is told by all that it is given; keeps the last of it."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.7))
        self.seen = []

    def forward(self, noisy, steps, classes, positions):
        self.seen.append((noisy, steps, classes, positions))
        told = classes[:, 1] + positions.sum(dim=1) + 0.01 * steps
        return self.gain * noisy + told.reshape(-1, 1, 1, 1, 1)


@pytest.fixture(scope="module")
def particles(scene):
    return open_particles(Job(method="train-generator", inputs=scene, output_folder="unused"))


@pytest.fixture(scope="module")
def parts(particles):
    """The first tomogram teaches, the second judges."""
    return particles.select(particles.source == 0), particles.select(particles.source == 1)


def task_of(parts, **changed):
    return GeneratorTask(*parts, TrainGeneratorParameters(**{**SMALL, **changed}))


def batch_of(task, rows):
    items = [task.item(row, np.random.default_rng(row)) for row in rows]
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}


def step():
    return Step(0, 0, "all", torch.Generator().manual_seed(3), {})


@pytest.mark.parametrize("answer", ["sample", "velocity"])
def test_the_loss_is_the_error_of_the_answer_at_a_random_step_with_fresh_noise(parts, answer):
    task, network = task_of(parts, answer=answer), Known()
    batch = batch_of(task, range(4))
    loss, metrics = task.loss({"unet": network}, batch, step())
    draws = step()
    steps, noise = draws.integers(50, batch["clean"]), draws.normal(batch["clean"])
    kept = noise_schedule(task._parameters).kept().float()[steps].reshape(-1, 1, 1, 1, 1)
    noisy = kept.sqrt() * batch["clean"] + (1 - kept).sqrt() * noise  # q(x_t | x_0)
    given = Known()(noisy, steps, batch["class"], batch["position"])
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * batch["clean"]
    wanted = batch["clean"] if answer == "sample" else velocity
    torch.testing.assert_close(loss, (given - wanted).square().mean(), atol=1e-4, rtol=1e-4)
    clean = given if answer == "sample" else kept.sqrt() * noisy - (1 - kept).sqrt() * given
    torch.testing.assert_close(metrics["clean_error"], (clean - batch["clean"]).square().mean().detach(), atol=1e-4, rtol=1e-4)
    assert not metrics["clean_error"].requires_grad
    assert len(set(steps.tolist())) > 1
    gradient = torch.autograd.grad(loss, network.gain)[0]
    torch.testing.assert_close(gradient, (2 * (given - wanted) * noisy).mean().detach(), atol=1e-3, rtol=1e-3)


def test_an_item_is_the_cube_with_its_own_class_and_place(parts, particles):
    task = task_of(parts)
    for row in (0, 5, 15):
        item = task.item(row, np.random.default_rng(0))
        np.testing.assert_array_equal(item["clean"], particles.patch(row, 16, "mean")[None])
        np.testing.assert_array_equal(item["class"], np.eye(2, dtype=np.float32)[particles.kinds[row]])
        np.testing.assert_array_equal(item["position"], particles.positions()[row])
    assert task.items() == 16


def test_class_place_and_turn_are_dropped_as_often_as_asked_and_independently(parts):
    task = task_of(parts, class_dropout=0.3, position_dropout=0.6, turn=True)
    generator, place = np.random.default_rng(0), parts[0].positions()[5]
    cube = parts[0].patch(5, 16, "mean")
    counts = np.zeros(3)
    pairs = set()
    for _ in range(200):
        item = task.item(5, generator)
        no_class, no_place = not item["class"].any(), bool((item["position"] == 0.5).all())
        turned = not np.array_equal(item["clean"][0], cube)
        if turned:
            np.testing.assert_array_equal(item["clean"][0], half_turn(cube))
        if not no_place:
            np.testing.assert_allclose(item["position"], [1 - place[0], place[1], 1 - place[2]] if turned else place, atol=1e-6)
        counts += (turned, no_class, no_place)
        pairs.add((turned, no_class, no_place))
    np.testing.assert_allclose(counts / 200, [0.5, 0.3, 0.6], atol=0.1)
    assert len(pairs) == 8
    whole = task_of(parts)
    assert all(np.array_equal(whole.item(5, generator)["clean"][0], cube) for _ in range(8))


@pytest.mark.parametrize("answer", ["sample", "velocity"])
def test_validation_is_on_what_was_held_out_with_noise_that_stays(parts, answer):
    task, network = task_of(parts, answer=answer, validation_items=12), Known()
    found = task.validate({"unet": network}, np.random.default_rng(0))
    assert found == task.validate({"unet": Known()}, np.random.default_rng(9))  # the same particles and noise each time
    assert [len(seen[0]) for seen in network.seen] == [8, 4]  # in batches
    rng = numpy_generator(0, "generator validation")
    rows = rng.permutation(16)[np.arange(12)]
    held_out = parts[1]
    clean = torch.from_numpy(np.stack([held_out.patch(row, 16, "mean") for row in rows])[:, None])
    steps = torch.arange(12) * 50 // 12
    noise = torch.randn((12, 1, 16, 16, 16), generator=torch_generator(0, "generator validation noise"))
    kept = noise_schedule(task._parameters).kept().float()[steps].reshape(-1, 1, 1, 1, 1)
    noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
    kinds = torch.eye(2)[torch.from_numpy(held_out.kinds[rows])]
    with torch.no_grad():
        given = Known()(noisy, steps, kinds, torch.from_numpy(held_out.positions()[rows]))
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    restored = given if answer == "sample" else kept.sqrt() * noisy - (1 - kept).sqrt() * given
    assert found["clean_error"] == pytest.approx(float((restored - clean).square().mean()), rel=1e-3)
    assert found["loss"] == pytest.approx(float((given - (clean if answer == "sample" else velocity)).square().mean()), rel=1e-3)
    assert found["schedule_bound"] == pytest.approx(noise_schedule(task._parameters).bound())


def test_more_validation_items_than_particles_show_some_twice(parts):
    task, network = task_of(parts, validation_items=20), Known()
    task.validate({"unet": network}, np.random.default_rng(0))
    assert sum(len(seen[0]) for seen in network.seen) == 20


def test_the_lowest_loss_is_the_best_model():
    assert GeneratorTask.selection == Selection("loss", "min")


def test_the_schedule_is_that_of_the_parameters():
    p = TrainGeneratorParameters(noise_steps=70, noise_schedule="cosine", beta_start=2e-4, beta_end=3e-2, answer="sample")
    found = noise_schedule(p)
    assert (found.steps, found.kind, found.beta_start, found.beta_end, found.answer) == (70, "cosine", 2e-4, 3e-2, "sample")


def test_examples_are_real_cubes_of_each_class_with_their_power(parts, tmp_path):
    write_examples(tmp_path / "examples.npz", parts[0], TrainGeneratorParameters(**SMALL))
    with np.load(tmp_path / "examples.npz") as kept:
        assert kept["classes"].tolist() == ["ball", "shell"]
        assert kept["cubes"].shape == (2, 3, 16, 16, 16)
        for number in range(2):
            cubes = parts[0].select(parts[0].kinds == number).patches(16, "mean")
            np.testing.assert_allclose(kept["cubes"][number], cubes[:3], atol=2e-3)
            np.testing.assert_allclose(kept["power"][number], module.radial_power(cubes))


def test_boxes_that_reach_outside_are_told_with_what_fills_them(particles):
    told = {(box, padding): module._warnings(particles, TrainGeneratorParameters(**{**SMALL, "box_px": box, "padding": padding}))
            for box in (16, 32) for padding in ("mean", "zero")}
    assert told[16, "mean"] == told[16, "zero"] == []
    assert told[32, "mean"] == ["32 of 32 boxes reach beyond their tomogram and are filled with its mean there"]
    assert told[32, "zero"] == ["32 of 32 boxes reach beyond their tomogram and are filled with its raw 0 there"]


def test_a_job_holds_a_tomogram_apart_and_saves_the_best_weights_of_its_seed(scene, tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        before = torch.random.get_rng_state()
        job = Job(method="train-generator", parameters={**SMALL, "iterations": 3, "batch_size": 4, "validation_interval": 1,
                                                        "precision": "float32"}, inputs=scene, output_folder=str(tmp_path / name),
                  seed=seed, device="cpu")
        outcome = module.run(job)
        assert torch.equal(torch.random.get_rng_state(), before)
        generator = load_generator(tmp_path / name)
        best = ConditionalUNet3d(2, 8)
        load_weights(tmp_path / name / "training" / "best.safetensors", {"unet": best})
        assert all(torch.equal(one, other) for one, other in zip(generator.network.state_dict().values(), best.state_dict().values()))
        found.append(generator.network.head.weight.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert outcome.metrics["particles"] == {"ball": 8, "shell": 8}
    assert (outcome.metrics["held_out"], outcome.metrics["steps"]) == (16, 3)
    assert [output.kind for output in outcome.outputs] == ["model", "examples", "figure", "table"]
    assert outcome.outputs[0].voxel_size == 10.0
    assert all((tmp_path / "c" / output.path).exists() for output in outcome.outputs)
    assert outcome.warnings == module._warnings(open_particles(job), TrainGeneratorParameters(**SMALL))


def test_a_batch_passes_in_as_many_parts_as_asked(parts):
    assert task_of(parts).parts == 1
    assert task_of(parts, batch_size=16, micro_batch=4).parts == 4
    with pytest.raises(ValueError, match="does not divide"):
        task_of(parts, batch_size=16, micro_batch=5)


def test_what_a_published_cube_keeps_for_the_gradient_lets_four_into_eight_gigabytes():
    """Counted at a quarter of the side, of which everything that is kept has a 64th."""
    kept = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.setdefault(one.untyped_storage().data_ptr(), one), lambda one: one):
        ConditionalUNet3d(6, 32)(torch.zeros(1, 1, 16, 16, 16), torch.tensor([5]), torch.eye(6)[:1], torch.zeros(1, 3))
    weights = 3_420_067 * 4
    cube = (sum(one.untyped_storage().nbytes() for one in kept.values()) - weights) * 64
    assert cube < 0.7e9
    # kept values, as many gradients at the worst, and weights, gradients and the two means of Adam
    assert TrainGeneratorParameters.published().micro_batch * 2 * cube + 4 * weights < 8e9
