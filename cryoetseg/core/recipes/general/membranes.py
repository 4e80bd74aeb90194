"""Training the general membrane model: bilayers in the scenes, zero-shot wherever it is used."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ...metrics.segmentation import dice_from_counts
from ...models.unet2d import DIVISOR
from ...students.membranes.network import build_network
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ...volumes.normalisation import standardise
from .crops import Window, changed_grey, draw_change, sampled
from .params import GeneralMembranesParameters
from .scenes import MEMBRANE, Scene

VALIDATION_PLANES = 3  # of each held-out scene
CENTRES = 20_000
UNKNOWN = -1
SHELL_DIAMETER, SHELL_REACH = 450.0, 300.0  # A: wider particles are shells; what lies so near to their centres is unknown
FAINTEST = 0.05  # SNR below which membranes cannot be seen and only teach doubt
FINEST = 8.0  # A: finer tomograms are brought to this voxel size when the model is used
COARSE = 15.0  # A: scenes of larger voxels are shown twice as often, because each holds fewer voxels of membrane


def teaching(scenes: Iterable[Scene]) -> Iterator[Scene]:
    """The scenes that teach membranes: those in which they can be seen, coarse ones twice."""
    for scene in scenes:
        if scene.voxel_size >= FINEST and float(scene.record["snr"]) >= FAINTEST:  # type: ignore[arg-type]
            yield from [scene] * (2 if scene.voxel_size >= COARSE else 1)


@dataclass(frozen=True)
class PreparedScene:
    """A scene as the network sees it: ``volume`` float16 smoothed and standardised, ``classes`` int8, ``centres`` (n, 3) of structures."""

    volume: np.ndarray
    classes: np.ndarray
    centres: np.ndarray


def prepared(scene: Scene, smoothing_px: float) -> PreparedScene:
    """Smooth and standardise a scene once, as :class:`~cryoetseg.core.students.membranes.view.SliceView` does piece by piece."""
    volume = np.asarray(scene.volume, dtype=np.float32)
    smooth = ndimage.gaussian_filter(clipped(volume), (0, smoothing_px, smoothing_px), truncate=3.0)
    classes = known_classes(scene)
    centres = np.argwhere(classes > 0)
    return PreparedScene(standardise(smooth).astype(np.float16), classes, centres[::max(1, len(centres) // CENTRES)].astype(np.int16))


def known_classes(scene: Scene) -> np.ndarray:
    """int8 (z, y, x): background, membrane, and :data:`UNKNOWN` where nothing can be learned.

    Filaments and foreign bodies are background. The shells of virus-like particles are protein, but look as small vesicles do where
    voxels are coarse.
    """
    classes = (scene.classes == MEMBRANE).astype(np.int8)
    for place in scene.particles.zyx[scene.particles.diameters > SHELL_DIAMETER]:
        reach = SHELL_REACH / scene.voxel_size
        first = np.maximum(np.floor(place - reach).astype(int), 0)
        last = np.ceil(place + reach).astype(int) + 1
        box = tuple(slice(a, b) for a, b in zip(first, last))
        axes = np.ogrid[tuple(slice(a, a + n) for a, n in zip(first, classes[box].shape))]
        near = sum((axis - middle) ** 2 for axis, middle in zip(axes, place)) <= reach**2
        classes[box][near & (classes[box] == 0)] = UNKNOWN
    return classes


def clipped(volume: np.ndarray, reach: float = 5.0) -> np.ndarray:
    """Grey values within ``reach`` robust deviations of the median."""
    median = float(np.median(volume))
    deviation = 1.4826 * float(np.median(np.abs(volume - median)))
    return np.clip(volume, median - reach * deviation, median + reach * deviation) if deviation > 0 else volume


class GeneralMembraneTask(TrainingTask):
    """Crops of the scenes to background and membrane."""

    selection = Selection("validation_dice", "max")

    def __init__(self, scenes: Sequence[PreparedScene], held_out: Sequence[PreparedScene], parameters: GeneralMembranesParameters,
                 seed: int) -> None:
        self._scenes, self._held_out, self._parameters = list(scenes), list(held_out), parameters
        self.smallest_batch = 2 if parameters.crop_px == DIVISOR else 1
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.networks = {"unet": build_network(parameters.slices)}

    def items(self) -> int:
        return 16 * len(self._scenes)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        scene, p = self._scenes[index % len(self._scenes)], self._parameters
        window = Window(self._middle(scene, generator), (p.slices, p.crop_px, p.crop_px))
        change = draw_change(generator)
        image = changed_grey(sampled(scene.volume, window, change, 1).astype(np.float32), change, generator)
        labels = sampled(scene.classes, window, change, 0)[p.slices // 2]
        return {"image": image, "labels": labels.astype(np.int64)}

    def _middle(self, scene: PreparedScene, generator: np.random.Generator) -> np.ndarray:
        side = self._parameters.crop_px
        places = generator.random(3)
        if len(scene.centres) and generator.random() < self._parameters.structure_crops:
            centre = scene.centres[generator.integers(len(scene.centres))].astype(float)
            return centre + np.array([0, *((places[1:] - 0.5) * side)])
        shape = np.array(scene.volume.shape)
        return np.array([places[0] * (shape[0] - 1), *(side / 4 + places[1:] * (shape[1:] - side / 2))])

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        logits = networks["unet"](batch["image"].contiguous(memory_format=torch.channels_last))
        return structure_loss(logits, batch["labels"]), {}

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Dice over planes of all held-out scenes together, those without membranes included."""
        counts = np.zeros(3)
        for scene in self._held_out:
            depth = scene.volume.shape[0]
            for z in np.linspace(depth * 0.2, depth * 0.8, VALIDATION_PLANES).astype(int):
                predicted, truth = self._plane(networks["unet"], scene, int(z))
                a, b = (predicted == MEMBRANE) & (truth != UNKNOWN), truth == MEMBRANE
                counts += [np.count_nonzero(a & b), np.count_nonzero(a & ~b), np.count_nonzero(~a & b)]
        return {"validation_dice": dice_from_counts(*counts)}

    def _plane(self, network: torch.nn.Module, scene: PreparedScene, z: int) -> tuple[np.ndarray, np.ndarray]:
        reach = self._parameters.slices // 2
        sides = [side // DIVISOR * DIVISOR for side in scene.volume.shape[1:]]
        numbers = np.clip(np.arange(z - reach, z + reach + 1), 0, scene.volume.shape[0] - 1)
        stack = torch.from_numpy(scene.volume[numbers, :sides[0], :sides[1]].astype(np.float32))[None]
        device = next(network.parameters()).device
        logits = network(stack.to(device).contiguous(memory_format=torch.channels_last))
        return logits[0].argmax(dim=0).cpu().numpy(), scene.classes[z, :sides[0], :sides[1]]


def structure_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean of cross-entropy and of 1 - Dice of membranes over the whole batch.

    ``logits`` (n, classes, y, x), ``labels`` (n, y, x); :data:`UNKNOWN` ones give no gradient. Dice is taken over the batch, not for
    each image as in training on one tomogram: many crops hold no membrane, and theirs would be 0 or 1 for a single voxel.
    """
    logits = logits.float()
    known = (labels != UNKNOWN)[:, None]
    cross_entropy = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum") / known.sum().clamp_min(1)
    predicted = logits.softmax(dim=1) * known
    truth = functional.one_hot(labels.clamp_min(0), logits.shape[1]).movedim(-1, 1).to(predicted.dtype) * known
    both = (predicted * truth).sum(dim=(0, 2, 3))[1:]
    sums = (predicted + truth).sum(dim=(0, 2, 3))[1:]
    present = truth.sum(dim=(0, 2, 3))[1:] > 0
    dice = torch.where(present, 2 * both / sums.clamp_min(1e-6), torch.ones_like(sums))
    return (cross_entropy + (1 - dice).mean()) / 2
