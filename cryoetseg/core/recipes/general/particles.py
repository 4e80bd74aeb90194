"""Training the general picker: centres of particles of any kind in the scenes, at every scale at which they can be seen."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.membrane_unet3d import MembraneUNet3d
from ...runtime.seeds import numpy_generator
from ...students.centres.losses import centre_loss
from ...students.centres.model import build_network
from ...students.centres.targets import LARGEST_PX, SMALLEST_PX, centre_targets
from ...training.task import Metrics, Networks, Selection, Step, TrainingTask
from ...volumes.normalisation import standardise
from .crops import Change, Window, changed_grey, draw_change, placed, sampled
from .membranes import clipped, some_of
from .params import GeneralParticlesParameters
from .scenes import FILAMENT, FOREIGN, MEMBRANE, MEMBRANE_BOUND, Scene

FINEST, COARSEST = 8.0, 40.0  # A, voxel sizes at which particles are sought
BINNINGS = (1, 2, 4)
VALIDATION_CROPS = 96
NO_PARTICLES = (MEMBRANE, FILAMENT, FOREIGN)
DECOYS = 0.5  # of the crops that are not around a particle: share around what could be taken for one, if there is any


@dataclass(frozen=True)
class ParticleScene:
    """A scene at one scale: ``volume`` float16 standardised; centres ``zyx`` (n, 3) and ``diameters`` (n,) in its voxels; ``bound`` (n,)
    1 for membrane proteins; ``sought`` (m,) the rows that can be picked at this scale; ``decoys`` for each kind of body that is no
    particle, membranes, filaments and foreign ones, some of its voxels (k, 3)."""

    volume: np.ndarray
    zyx: np.ndarray
    diameters: np.ndarray
    bound: np.ndarray
    sought: np.ndarray
    decoys: tuple[np.ndarray, ...] = ()


def at_scales(scene: Scene) -> list[ParticleScene]:
    """The scene at each binning that brings its voxels between 8 and 40 Angstrom; finer ones are sums over cubes, as binned files are."""
    return [_binned(scene, binning) for binning in BINNINGS if FINEST <= scene.voxel_size * binning <= COARSEST]


def _binned(scene: Scene, binning: int) -> ParticleScene:
    volume = np.asarray(scene.volume, dtype=np.float32)
    z, y, x = (side // binning for side in volume.shape)
    cubes = volume[:z * binning, :y * binning, :x * binning].reshape(z, binning, y, binning, x, binning)
    binned = standardise(clipped(cubes.mean(axis=(1, 3, 5)))).astype(np.float16)
    table = scene.particles
    diameters = table.diameters / (scene.voxel_size * binning)
    sought = np.flatnonzero((diameters >= SMALLEST_PX) & (diameters <= LARGEST_PX))
    zyx = (table.zyx + 0.5) / binning - 0.5  # outer faces coincide
    decoys = tuple(found // binning for kind in NO_PARTICLES if len(found := some_of(scene.classes == kind)))
    return ParticleScene(binned, zyx, diameters, (table.class_id == MEMBRANE_BOUND).astype(np.float32), sought, decoys)


class GeneralParticleTask(TrainingTask):
    """Crops of the scenes to centres, widths and kinds."""

    selection = Selection("validation_loss", "min")

    def __init__(self, scenes: Sequence[ParticleScene], held_out: Sequence[ParticleScene], parameters: GeneralParticlesParameters,
                 seed: int, trunk: MembraneUNet3d | None = None) -> None:
        """Start from the weights of ``trunk``, all but the answer: who knows membranes, filaments and ice knows what is no particle."""
        self._scenes, self._held_out, self._parameters, self._seed = list(scenes), list(held_out), parameters, seed
        self.networks = {"centres": build_network(seed)}
        if trunk is not None:
            state = {name: value for name, value in trunk.state_dict().items() if not name.startswith("head.")}
            self.networks["centres"].load_state_dict(state, strict=False)

    def items(self) -> int:
        return 16 * len(self._scenes)

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        return self._crop(self._scenes[index % len(self._scenes)], generator)

    def _crop(self, scene: ParticleScene, generator: np.random.Generator) -> dict[str, np.ndarray]:
        side = self._parameters.crop_px
        window = Window(self._middle(scene, generator), (side,) * 3)
        change = draw_change(generator)
        volume = changed_grey(sampled(scene.volume, window, change, 1).astype(np.float32), change, generator)
        return {"volume": volume[None], **_targets(scene, window, change)}

    def _middle(self, scene: ParticleScene, generator: np.random.Generator) -> np.ndarray:
        """Around a particle, around what could be taken for one, or anywhere."""
        side, places, share = self._parameters.crop_px, generator.random(3), self._parameters.particle_crops
        chance, shift = generator.random(), (places - 0.5) * side * 0.8
        if len(scene.sought) and chance < share:
            return scene.zyx[scene.sought[generator.integers(len(scene.sought))]] + shift
        if scene.decoys and chance < share + DECOYS * (1 - share):
            kind = scene.decoys[generator.integers(len(scene.decoys))]
            return kind[generator.integers(len(kind))] + shift
        return places * (np.array(scene.volume.shape) - 1)

    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        answer = networks["centres"](batch["volume"].contiguous(memory_format=torch.channels_last_3d))
        loss, parts = centre_loss(answer, batch)
        return loss, parts

    @torch.no_grad()
    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """The losses on the same crops of the held-out scenes each time."""
        fixed = numpy_generator(self._seed, "validation crops")
        device = next(networks["centres"].parameters()).device
        total: dict[str, float] = {}
        for number in range(VALIDATION_CROPS):
            crop = self._crop(self._held_out[number % len(self._held_out)], fixed)
            batch = {name: torch.from_numpy(array)[None].to(device) for name, array in crop.items()}
            loss, parts = self.loss(networks, batch, None)  # type: ignore[arg-type]
            for name, value in {"loss": loss, **parts}.items():
                total[f"validation_{name}"] = total.get(f"validation_{name}", 0.0) + float(value) / VALIDATION_CROPS
        return total


def _targets(scene: ParticleScene, window: Window, change: Change) -> dict[str, np.ndarray]:
    targets = centre_targets(placed(scene.zyx, window, change), scene.diameters * change.scale, scene.bound, window.sides)
    return asdict(targets)
