"""Parameters of Vox-UDA: training, use, ablation.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
from typing import ClassVar, List, Literal, Tuple

from ..runtime.params import Condition, Parameters, parameter
from ..training.params import TrainingParameters

Geometry = Literal["corner_cube", "radial", "outside_cube"]
Reading = Literal["variance_of_mean", "mean_of_variances"]
NoiseKind = Literal["target_snr", "target_spectrum", "gaussian", "poisson", "speckle"]
RangeFeature = Literal["intensity", "sobel32", "sobel", "laplacian_gradient"]
Scale = Literal["z_score", "min_max"]
Denoiser = Literal["improved_bilateral", "bilateral", "noise_module", "gaussian", "none"]
Statistics = Literal["target", "all"]
Calibration = Literal["otsu", "none"]

# Where volumes are denoised: the target for pseudo-labels, and then noised source volumes too
DENOISED: List[Condition] = [{"pseudo_labels": True}]
WHITE_NOISE: Condition = {"consistency": True, "noise_kind": ("gaussian", "poisson", "speckle")}


def denoised_by(*denoisers: str) -> List[Condition]:
    """For ``acts_when``: with one of these denoisers where something is denoised."""
    return [{**condition, "denoiser": denoisers} for condition in DENOISED]


HIGH_PASS = [WHITE_NOISE, *denoised_by("noise_module")]


class TrainVoxUdaParameters(TrainingParameters):
    """Adaptation from labelled source subtomograms to an unlabelled target. The defaults fit a processor; published() is the paper."""

    epochs: int = parameter(40, "Passes over the source subtomograms.", ge=1, published=300, acts_when={"iterations": 0}, label="Epochs")
    batch_size: int = parameter(8, "Source and target subtomograms each in one step, over all processes together.", ge=1, published=16,
        label="Batch size")
    learning_rate: float = parameter(1e-3, "Largest learning rate, of Adam.", gt=0, published=1e-3)
    weight_decay: float = parameter(0.0, "Weight decay of the optimiser.", expert=True, ge=0)
    schedule: Literal["constant", "one_cycle", "cosine", "step"] = parameter(
        "cosine", "How the learning rate moves. Published: step, a tenth every 100 epochs.", label="Course of the learning rate")
    step_every: int = parameter(100, "Epochs between two steps of the step schedule, also where iterations are given.", expert=True, ge=1,
        acts_when={"schedule": "step"}, label="Steps of the rate every")
    warm_up: float = parameter(0.05, "Part of the training in which the learning rate rises.", expert=True, ge=0, le=1,
        acts_when={"schedule": ("one_cycle", "cosine")}, label="Share of the rise")
    precision: Literal["float32", "auto", "bfloat16", "float16", "tf32"] = parameter(
        "auto", "Arithmetic of the networks; auto takes bfloat16 where the hardware has it; float16 needs a GPU.", expert=True,
        label="Arithmetic")
    ema_decay: float = parameter(
        0.999, "Decay of the teacher, the running average of the student. Needed for pseudo-labels. The paper does not state it.",
        expert=True, ge=0, lt=1, label="Decay of the averaged weights")
    validation_interval: int = parameter(
        0, "Does nothing here: the target has no labels, so that nothing is validated and the last weights are used.", unit="steps",
        expert=True, ge=0, keeps_result="nothing is validated", label="Validation every")

    # Subtomograms
    size: int = parameter(32, "Side of the subtomograms that the network sees.", unit="voxels", ge=16, le=128, multiple_of=8, published=32)
    common_voxel_size: float = parameter(
        0.0, "Voxel size to which source and target are brought, boxes being cut or filled; 0 takes the one at which the target's whole "
        "box fills the subtomograms.", unit="A", ge=0, le=100, label="Voxel size of both")
    mask_threshold: float = parameter(
        0.5, "A source mask's voxels above this are foreground. 0.5 suits masks of 0 and 1; grey masks in Da/nm3 want the published value, "
        "0.37 of the density of protein.", expert=True, published=300, label="Foreground of masks above")
    width: int = parameter(32, "Channels of the network at full resolution; half as many train three times as fast.", expert=True,
                           ge=4, le=256, published=32, label="Width of the network")
    augment: bool = parameter(
        True, "Show subtomograms mirrored along the tilt axis and turned by 180 degrees about it, which keeps the missing wedge. "
        "Not in the paper.", expert=True, label="Mirror and turn")

    # Parts of the method
    segmentation_on: Literal["noised", "clean", "both"] = parameter(
        "noised", "Source subtomograms on which the segmentation loss is taken: with noise added, as they are, or both. The paper's "
        "text can be read both ways.", expert=True, label="Segmentation loss on", acts_when={"consistency": True})
    denoise_source: bool = parameter(
        True, "Every second noised source subtomogram goes through the target's denoiser, so that the teacher has seen denoised input. "
        "Not in the paper.", expert=True, acts_when={"consistency": True, "pseudo_labels": True})
    consistency: bool = parameter(
        True, "Show the source with the target's noise too (noise module); the consistency loss between features without and with it has "
        "a weight of its own.", label="Noise module")
    adversarial: bool = parameter(
        False, "Domain discriminator behind gradient reversal. With consistency loss and pseudo-labels it gained 0.00 and 0.01 Dice in two "
        "trainings, for twice the time.", published="yes", label="Discriminator")
    pseudo_labels: bool = parameter(
        False, "Labels that the teacher gives to the denoised target train the student. With discriminator and consistency loss they "
        "gained 0.00 and 0.01 Dice in two trainings, for twice the time.", published="yes", label="Pseudo-labels")
    consistency_weight: float = parameter(0.0, "Weight of the consistency loss; 0 leaves it out.", expert=True, ge=0, published=1,
        acts_when={"consistency": True})
    adversarial_weight: float = parameter(1.0, "Weight of the discriminator's loss.", expert=True, ge=0, published=1,
        acts_when={"adversarial": True})
    pseudo_weight: float = parameter(1.0, "Weight of the pseudo-label loss.", expert=True, ge=0,
        label="Weight of pseudo-labels", acts_when={"pseudo_labels": True})
    pseudo_start: float = parameter(
        0.3, "Part of the training before pseudo-labels count, so that the teacher knows something first. The paper does not say.",
        expert=True, ge=0, lt=1, label="Start of pseudo-labels", acts_when={"pseudo_labels": True})
    pseudo_selection: Literal["balanced", "sure"] = parameter(
        "balanced", "Voxels that count: by rank, as many of foreground as the source tells and the lower half as background, both with "
        "equal weight; or those of which the teacher is sure, which are background nearly everywhere.", expert=True, published="sure",
        label="Choice of pseudo-labels", acts_when={"pseudo_labels": True})
    pseudo_threshold: float = parameter(
        0.85, "Voxels count where the teacher is at least so sure.", expert=True, ge=0.5, lt=1, published=0.85,
        label="Sureness of pseudo-labels", acts_when={"pseudo_labels": True, "pseudo_selection": "sure"})
    feature_weights: str = parameter(
        "0.2,0.2,0.3,0.3", "Weights of the four features in the consistency loss, finest first.", expert=True, published="0.2,0.2,0.3,0.3",
        label="Weights of features", acts_when={"consistency": True})
    statistics: Statistics = parameter(
        "target", "Which passes move the running statistics of the normalisation that the teacher and the result use: those of the target, "
        "or all. The paper does not say; plain code gives all.", expert=True, label="Running statistics")
    calibration: Calibration = parameter(
        "otsu", "After training, the logit at which Otsu's threshold parts the unlabelled target becomes probability 0.5; none leaves the "
        "network as trained, which finds too little where the target's particles are larger than the source's.", expert=True,
        published="none")

    # Noise module
    noise_samples: int = parameter(10, "Target subtomograms from which the noise is estimated in each step.", expert=True, ge=1, le=1000,
                                   published=10, label="Subtomograms for the noise", acts_when={"consistency": True})
    noise_share: float = parameter(
        0.244, "Share of the frequencies, the highest ones, that count as noise.", expert=True, gt=0, lt=1, published=0.244,
        label="Share of noise frequencies", acts_when=HIGH_PASS)
    noise_geometry: Geometry = parameter(
        "corner_cube", "Shape of the high-pass filter: the cube of high frequencies that gives the published shares exactly, all beyond a "
        "radius, or all outside a cube about zero.", expert=True, label="Shape of the high-pass", acts_when=HIGH_PASS)
    noise_reading: Reading = parameter(
        "variance_of_mean", "Variance of the averaged noise volumes, as the text says, or mean of their variances, three times as strong.",
        expert=True, label="Strength of the noise", acts_when=WHITE_NOISE)
    noise_scale: float = parameter(1.0, "Factor on the strength of the added noise.", expert=True, ge=0, le=100,
        label="Factor of the noise", acts_when=WHITE_NOISE)
    noise_kind: NoiseKind = parameter(
        "target_snr", "Noise given to the source. target_snr: random phases under what of the target's power spectrum is noise, at "
        "signal-to-noise ratios that the target shows, for a source without noise of its own. target_spectrum: under the whole of it, in a "
        "random share of the variance, for a noisy source. Or one of the published white ones, whose strength follows from the high "
        "frequencies.", expert=True, published="gaussian", label="Kind of noise", acts_when={"consistency": True})
    noise_share_max: float = parameter(
        0.95, "Largest share of the variance that noise of the target's spectrum takes; drawn evenly from 0 on.", expert=True, gt=0, lt=1,
        label="Largest share of noise", acts_when={"consistency": True, "noise_kind": "target_spectrum"})

    # Denoising before pseudo-labels
    denoiser: Denoiser = parameter("improved_bilateral", "Filter of the target before the teacher sees it.",
        label="Denoiser", acts_when=DENOISED)
    range_feature: RangeFeature = parameter(
        "sobel32", "What the improved filter compares: the true gradient, 32 times it, or the published gradient of the Laplacian, which "
        "needs filter_scale min_max: on standardised data the filter changes nothing with it.", expert=True, published="laplacian_gradient",
        label="What is compared", acts_when=denoised_by("improved_bilateral"))
    filter_scale: Scale = parameter(
        "z_score", "How the data are scaled before neighbours are compared. The paper does not say; its range sigma and range feature "
        "filter where grey values go from 0 to 1.", expert=True, published="min_max",
        label="Scale of the data", acts_when=denoised_by("improved_bilateral", "bilateral"))
    range_sigma: float = parameter(1.2, "Range sigma of the bilateral filters.", expert=True, gt=0, published=1.2,
        label="Range sigma", acts_when=denoised_by("improved_bilateral", "bilateral"))
    domain_sigma: float = parameter(
        120.0, "Domain sigma of the bilateral filters; over the 27 nearest voxels everything from 10 on is flat.", unit="voxels",
        expert=True, gt=0, published=120, label="Domain sigma", acts_when=denoised_by("improved_bilateral", "bilateral"))
    gaussian_sigma: float = parameter(1.0, "Sigma of the Gaussian denoiser.", unit="voxels", expert=True, gt=0, le=10,
        label="Sigma of the Gaussian", acts_when=denoised_by("gaussian"))
    restandardise: bool = parameter(
        True, "Bring the denoised target back to variance 1, as the network knows its input; without it the teacher saw background "
        "only. The paper does not say.", expert=True, label="Bring back to variance 1", acts_when=DENOISED)

    @classmethod
    def published(cls) -> "TrainVoxUdaParameters":
        """The paper's values (spec B8): 300 epochs, batch 16, learning rate a tenth every 100 epochs, the Laplacian's gradient.

        Where it is silent: grey values from 0 to 1 for the filter, without which the Laplacian's gradient lets nothing through.
        """
        return cls(epochs=300, batch_size=16, schedule="step", step_every=100, step_factor=0.1, precision="float32", augment=False,
                   statistics="all", range_feature="laplacian_gradient", filter_scale="min_max", pseudo_start=0.0, noise_kind="gaussian",
                   segmentation_on="clean", pseudo_selection="sure", denoise_source=False, calibration="none", adversarial=True,
                   pseudo_labels=True, consistency_weight=1.0)


def fitted_voxel_size(voxel_size: float, box: int, size: int) -> float:
    """Voxel size in Angstrom at which a box of ``box`` voxels of ``voxel_size`` fills ``size`` voxels."""
    return voxel_size * box / size


class SegmentSubtomogramsParameters(Parameters):
    """Masks and probabilities from a trained model."""

    threshold: float = parameter(0.5, "Voxels with a probability above this are foreground.", gt=0, lt=1)
    overlap: float = parameter(0.5, "Overlap of windows on whole tomograms, as share of their side.", expert=True, ge=0, le=0.9)
    batch_size: int = parameter(8, "Windows or subtomograms worked on at once.", expert=True, ge=1, label="Batch size")
    mirrored: bool = parameter(
        False, "Answer with the mean over the four pictures that keep the missing wedge: mirrored along the tilt axis, turned by 180 "
        "degrees about it, both, neither. Four times as long; it raised Dice by 0.01 to 0.02 in four trainings.", expert=True,
        label="Mean over mirror images")
    probabilities: bool = parameter(True, "Also write the probabilities.", label="Write probabilities")


class VoxUdaAblationParameters(TrainVoxUdaParameters):
    """The published comparison on the user's data: one training for each row and seed, scored on labelled target subtomograms."""

    # rows set these themselves, so that what depends on them acts in one row or another
    varied: ClassVar[Tuple[str, ...]] = ("consistency", "consistency_weight", "adversarial", "pseudo_labels", "denoiser")

    rows: str = parameter(
        "source_only,noised_source,vox_uda,supervised,dann,without_noise_module,without_pseudo_labels,noise_module_denoiser,bilateral_denoiser",
        "Rows to train, in this order.", label="Rows")
    seeds: int = parameter(3, "Trainings of each row, with the seeds 0, 1, ... after the given one.", ge=1, le=100,
        label="Trainings of a row")
    test_share: float = parameter(
        0.5, "Share of the target kept out of all trainings and used for the scores. 0 scores on the training target itself, as the paper "
        "seems to; the supervised row then knows the answers.", ge=0, lt=1, label="Share for tests")
    draw_features: bool = parameter(True, "Map the features of source and target by t-SNE, without and with adaptation.", expert=True,
        label="Map features")


class VoxUdaSourceParameters(Parameters):
    """The simulated source of a Vox-UDA training."""

    count: int = parameter(300, "Number of simulated subtomograms, over all signal-to-noise ratios.", ge=2, published=3000, label="Number")
    particles: str = parameter(
        "rubisco, beta_galactosidase, thyroglobulin", "Macromolecules of the source: built-in ones, or 'none' with templates.",
        published="PDB 1bxn, 1f1b and 1yg6")
    snrs: str = parameter(
        "1000", "Signal-to-noise ratios of the source, with commas. 1000 is a source without noise, to which a training adds the target's.",
        published="0.03,0.05", label="Signal-to-noise ratios")
    size: int = parameter(32, "Side of a subtomogram.", unit="voxels", ge=16, le=128)
    voxel_size: float = parameter(10.0, "Voxel size.", unit="A", ge=2, le=64, published=10)
    tilt_min: float = parameter(
        -60.0, "Start of the target's tilt range. A source that was imaged as the target was teaches most.", unit="degrees", ge=-89, le=0,
        published=-60, label="First tilt angle")
    tilt_max: float = parameter(60.0, "End of the target's tilt range.", unit="degrees", ge=0, le=89, published=60, label="Last tilt angle")
    defocus: float = parameter(5.0, "Underfocus of the target.", unit="um", ge=0, le=30, published=5)
    max_shift: int = parameter(
        2, "Largest shift of particles from the middle of their box, per axis: small where the target was extracted at picked particles.",
        unit="voxels", ge=0, le=64, published=8, label="Shift from the middle")
    neighbours: int = parameter(3, "Neighbouring macromolecules about each particle: how crowded the target is.", ge=0, le=20, published=4)

    @classmethod
    def published(cls) -> "VoxUdaSourceParameters":
        """The paper's source, of the built-in molecules that come nearest to it."""
        return cls(count=3000, snrs="0.03,0.05", max_shift=8, neighbours=4)


# what a training's form and command ask for its simulated source; the rest follows from the target
SOURCE_IMAGING = ("snrs", "tilt_min", "tilt_max", "defocus", "max_shift", "neighbours")
