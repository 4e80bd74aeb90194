"""Names shared by the Scipion side of the package. Imports nothing of Scipion, so that every module may import it."""

CRYOETSEG_PYTHON = "CRYOETSEG_PYTHON"
CRYOETSEG_WEIGHTS = "CRYOETSEG_WEIGHTS"
DEFAULT_WEIGHTS = "~/.local/share/cryoetseg/weights"
JOB_VARIABLE = "CRYOETSEG_JOB"  # carries the job's file where a command line cannot
CORE_PACKAGE = "cryoetseg-core"

# What the core cannot start without; the installation check names the first one missing.
CORE_MODULES = ("cryoetseg", "torch", "diffusers", "mrcfile", "scipy", "skimage", "typer", "pydantic")

# Methods of the core, as in cryoetseg.core.methods
SIMULATE = "simulate"
SEGMENT_SLABS = "segment-slabs"
EVALUATE_SEGMENTATION = "evaluate-segmentation"
EVALUATE_PICKING = "evaluate-picking"
PICK_DOG = "pick-dog"
EXPORT_PARTICLES = "export-particles"
IMPORT_COPICK, EXPORT_COPICK = "import-copick", "export-copick"
TRAIN_MEMBRANES, SEGMENT_MEMBRANES = "train-membranes", "segment-membranes"
CURATE_MEMBRANES = "curate-membranes"
THRESHOLD_MEMBRANES = "threshold-membranes"
SEGMENT_FILAMENTS = "segment-filaments"
TRAIN_PICKER, PICK_DEEPET = "train-picker", "pick-deepet"
TRAIN_SEGMENTER, SEGMENT_CLASSES = "train-segmenter", "segment-classes"
TRAIN_GENERATOR, GENERATE_PARTICLES = "train-generator", "generate-particles"
PASTE_PARTICLES = "paste-particles"
TRAIN_VOXUDA, SEGMENT_SUBTOMOGRAMS = "train-voxuda", "segment-subtomograms"
SIMULATE_VOXUDA_SOURCE, COMPARE_VOXUDA = "simulate-voxuda-source", "voxuda-ablation"
TRAIN_DUAL, TRAIN_WEDGE, EXPORT_DUAL = "train-dual", "train-dual-wedge", "export-dual"
DENOISE_DUAL, SIMULATE_DUAL, CONVERT_DUAL = "denoise-dual", "simulate-dual", "convert-dual"
FILL_WEDGE, TRANSFER_DUAL = "fill-wedge", "transfer-dual"

CLUSTER_PARTICLES, MEASURE_MEMBRANES = "cluster-particles", "measure-membranes"

# What a model serves, as in its card
MEMBRANES, PICKER, SEGMENTER = "membranes", "picker", "segmenter"
GENERATOR = "generator"
DUAL, DUAL_WEDGE = "dual", "dual-wedge"
