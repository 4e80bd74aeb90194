"""Scipion finds the viewers that are imported here."""
from .viewer_cluster_particles import CryoEtSegClustersViewer
from .viewer_coordinates import CryoEtSegCurationViewer, CryoEtSegPicksViewer, CryoEtSegScatterViewer, CryoEtSegScoresViewer
from .viewer_dual import CryoEtSegDualViewer
from .viewer_evaluation import CryoEtSegEvaluationViewer
from .viewer_folder import CryoEtSegFolderViewer
from .viewer_generation import CryoEtSegGenerationViewer
from .viewer_membranes import CryoEtSegMembraneCurationViewer, CryoEtSegMembranesViewer
from .viewer_overlay import CryoEtSegOverlayViewer, CryoEtSegResultViewer
from .viewer_segment_slabs import CryoEtSegSegmentSlabsViewer
from .viewer_simulate_tomograms import CryoEtSegSimulationViewer
from .viewer_training import CryoEtSegTrainingViewer
from .viewer_voxuda import CryoEtSegComparisonViewer, CryoEtSegMontageViewer

__all__ = [
    "CryoEtSegClustersViewer",
    "CryoEtSegComparisonViewer",
    "CryoEtSegCurationViewer",
    "CryoEtSegDualViewer",
    "CryoEtSegEvaluationViewer",
    "CryoEtSegFolderViewer",
    "CryoEtSegGenerationViewer",
    "CryoEtSegMembraneCurationViewer",
    "CryoEtSegMembranesViewer",
    "CryoEtSegMontageViewer",
    "CryoEtSegOverlayViewer",
    "CryoEtSegPicksViewer",
    "CryoEtSegResultViewer",
    "CryoEtSegScatterViewer",
    "CryoEtSegScoresViewer",
    "CryoEtSegSegmentSlabsViewer",
    "CryoEtSegSimulationViewer",
    "CryoEtSegTrainingViewer",
]
