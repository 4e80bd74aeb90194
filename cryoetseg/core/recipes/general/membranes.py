"""Training the general membrane model: bilayers, and filaments beside them, in the scenes at the voxel sizes that it is used at."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...metrics.segmentation import dice_from_counts
from ...models.centre_unet3d import DIVISOR
from ...models.membrane_unet3d import FILAMENT_OUTPUT, MEMBRANE_OUTPUT
from ...students.membranes.network import build_volume_network
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ...volumes.normalisation import standardise
from ...volumes.resampling import resample, resample_labels
from .crops import Change, Window, changed_grey, draw_change, sampled
from .params import GeneralMembranesParameters
from .scenes import FILAMENT, FOREIGN, MEMBRANE, Scene

CENTRES = 20_000
UNKNOWN = -1
SHELL_DIAMETER, SHELL_REACH = 450.0, 300.0  # A: wider particles are shells; what lies so near to their centres is unknown
FAINTEST = 0.05  # SNR below which membranes cannot be seen and only teach doubt
WORKING = (9.0, 22.0)  # A, voxel sizes of crops: a bilayer is two to five voxels thick
BINNED = (10.0, 14.0)  # A, to which scenes of finer voxels are brought, each to another size
NATIVE = 0.5  # share of crops that keep their scene's sampling where it lies within WORKING
LARGEST_SCALE = 2.6  # voxels of a crop for one of the scene
FILAMENTS, FOREIGNERS = 0.6, 0.2  # of the crops that are not around a membrane: shares around filaments and foreign bodies, if any
OUTPUTS = ((MEMBRANE_OUTPUT, MEMBRANE, 1.0), (FILAMENT_OUTPUT, FILAMENT, 0.7))  # output, class, weight of its loss
VALIDATION_SIZE, VALIDATION_PX = 16.0, 128  # A to which coarse held-out scenes are brought, and the largest side that is looked at
AS_IT_IS = Change(1.0, 0.0, 0, (False, False, False), 1.0, 0.0, (0.0, 0.0, 0.0), 0.0)


def teaching(scenes: Iterable[Scene]) -> Iterator[Scene]:
    """The scenes that teach membranes: those in which they can be seen."""
    return (scene for scene in scenes if float(scene.record["snr"]) >= FAINTEST)  # type: ignore[arg-type]


@dataclass(frozen=True)
class PreparedScene:
    """A scene as the network sees it: ``volume`` float16 standardised and ``classes`` int8 (z, y, x) at ``voxel_size`` (Angstrom);
    voxels (n, 3) of ``membranes``, ``filaments`` and ``foreign`` bodies."""

    volume: np.ndarray
    classes: np.ndarray
    membranes: np.ndarray
    filaments: np.ndarray
    foreign: np.ndarray
    voxel_size: float


def prepared(scene: Scene, number: int) -> PreparedScene:
    """Clip and standardise a scene once; one of fine voxels is brought to a voxel size that its ``number`` decides first."""
    volume, classes = clipped(np.asarray(scene.volume, dtype=np.float32)), known_classes(scene)
    kinds, size = scene.classes, scene.voxel_size
    if size < WORKING[0]:
        low, high = BINNED
        coarse = low + (number * 0.6180339887498949) % 1 * (high - low)
        volume = resample(volume, size, coarse)
        classes, kinds = (resample_labels(part, size, coarse) for part in (classes, kinds))
        size = coarse
    membranes, filaments, foreign = (some_of(kinds == kind) for kind in (MEMBRANE, FILAMENT, FOREIGN))
    return PreparedScene(standardise(volume).astype(np.float16), classes, membranes, filaments, foreign, size)


def some_of(mask: np.ndarray) -> np.ndarray:
    """Voxels (n, 3) of a mask (z, y, x), evenly thinned out to some twenty thousand."""
    places = np.argwhere(mask)
    return places[::max(1, len(places) // CENTRES)].astype(np.int16)


def known_classes(scene: Scene) -> np.ndarray:
    """int8 (z, y, x): background, membrane, filament, and :data:`UNKNOWN` where nothing can be learned.

    Foreign bodies are background. The shells of virus-like particles are protein, but look as small vesicles do where voxels are coarse.
    """
    classes = np.where((scene.classes == MEMBRANE) | (scene.classes == FILAMENT), scene.classes, 0).astype(np.int8)
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
    """Cubes of the scenes to membranes and filaments."""

    selection = Selection("validation_dice", "max")

    def __init__(self, scenes: Sequence[PreparedScene], held_out: Sequence[PreparedScene], parameters: GeneralMembranesParameters,
                 seed: int) -> None:
        self._scenes, self._held_out, self._parameters = list(scenes), list(held_out), parameters
        self.smallest_batch = 2 if parameters.crop_px == DIVISOR else 1
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.networks = {"unet": build_volume_network()}

    def items(self) -> int:
        return 16 * len(self._scenes)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        scene, side = self._scenes[index % len(self._scenes)], self._parameters.crop_px
        change = sized(draw_change(generator), scene.voxel_size, generator)
        window = Window(self._middle(scene, change, generator), (side, side, side))
        image = changed_grey(sampled(scene.volume, window, change, 1).astype(np.float32), change, generator)
        return {"image": image[None], "labels": labels_of(scene, window, change)[None]}

    def _middle(self, scene: PreparedScene, change: Change, generator: np.random.Generator) -> np.ndarray:
        """Around a membrane, around what could be taken for one, or anywhere."""
        places, chance = generator.random(3), generator.random()
        side, share = self._parameters.crop_px / change.scale, self._parameters.structure_crops
        until = np.cumsum([share, FILAMENTS * (1 - share), FOREIGNERS * (1 - share)])
        for centres, end in zip((scene.membranes, scene.filaments, scene.foreign), until):
            if len(centres) and chance < end:
                return centres[generator.integers(len(centres))] + (places - 0.5) * 0.8 * side
        shape, half = np.array(scene.volume.shape), side / 2
        return np.clip(places * (shape - 1), np.minimum(0.7 * half, shape / 2), np.maximum(shape - half, shape / 2))

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        logits = networks["unet"](batch["image"].contiguous(memory_format=torch.channels_last_3d))
        return structure_loss(logits, batch["labels"]), {}

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Dice over the middles of all held-out scenes together, those without membranes included."""
        counts = np.zeros((len(OUTPUTS), 3))
        for scene in self._held_out:
            logits, truth = _middle_of(networks["unet"], scene)
            for row, (output, kind, _) in enumerate(OUTPUTS):
                called, true = (logits[output] > 0) & (truth != UNKNOWN), truth == kind
                counts[row] += [np.count_nonzero(called & true), np.count_nonzero(called & ~true), np.count_nonzero(~called & true)]
        return {"validation_dice": dice_from_counts(*counts[0]), "validation_dice_filaments": dice_from_counts(*counts[1])}


def sized(change: Change, voxel_size: float, generator: np.random.Generator) -> Change:
    """The change with a scale that brings ``voxel_size`` (Angstrom) within :data:`WORKING`: none, or one drawn."""
    low, high = WORKING
    drawn, native = float(np.exp(generator.uniform(np.log(low), np.log(high)))), generator.random() < NATIVE
    size = voxel_size if native and low <= voxel_size <= high else max(drawn, voxel_size / LARGEST_SCALE)
    return replace(change, scale=min(voxel_size / size, LARGEST_SCALE))


def labels_of(scene: PreparedScene, window: Window, change: Change) -> np.ndarray:
    """Classes int8 in a window; where voxels are resampled a membrane's border is interpolated, so that it has no steps."""
    nearest = sampled(scene.classes, window, change, 0).astype(np.int8)
    if change.scale == 1 and change.angle == 0:
        return nearest
    share = sampled((scene.classes == MEMBRANE).astype(np.float32), window, change, 1)
    smooth = np.where(share >= 0.5, MEMBRANE, np.where(nearest == MEMBRANE, 0, nearest))
    return np.where(nearest == UNKNOWN, UNKNOWN, smooth).astype(np.int8)


def _middle_of(network: torch.nn.Module, scene: PreparedScene) -> tuple[np.ndarray, np.ndarray]:
    """Logits (outputs, z, y, x) and true classes (z, y, x) of the middle of a scene."""
    change = replace(AS_IT_IS, scale=max(1.0, scene.voxel_size / VALIDATION_SIZE))
    z, y, x = (max(DIVISOR, int(min(side * change.scale, VALIDATION_PX)) // DIVISOR * DIVISOR) for side in scene.volume.shape)
    window = Window((np.array(scene.volume.shape) - 1) / 2, (z, y, x))
    image = torch.from_numpy(sampled(scene.volume, window, change, 1).astype(np.float32))[None, None]
    image = image.to(next(network.parameters()).device).contiguous(memory_format=torch.channels_last_3d)
    return network(image)[0].float().cpu().numpy(), labels_of(scene, window, change)


def structure_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each output the mean of cross-entropy and of 1 - Dice over the whole batch, summed with the weights of :data:`OUTPUTS`.

    ``logits`` (n, outputs, z, y, x), ``labels`` (n, 1, z, y, x); :data:`UNKNOWN` ones give no gradient. Dice is taken over the batch, not
    for each cube as in training on one tomogram: many hold no membrane, and theirs would be 0 or 1 for a single voxel.
    """
    known = (labels != UNKNOWN).float()
    losses = [weight * _loss(logits[:, output:output + 1].float(), (labels == kind).float(), known) for output, kind, weight in OUTPUTS]
    return torch.stack(losses).sum()


def _loss(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, weight=known, reduction="sum") / known.sum().clamp_min(1)
    predicted = logits.sigmoid() * known
    dice = 2 * (predicted * truth).sum() / (predicted + truth).sum().clamp_min(1e-6)  # truth is 0 where nothing is known
    return (entropy + torch.where(truth.sum() > 0, 1 - dice, torch.zeros_like(dice))) / 2
