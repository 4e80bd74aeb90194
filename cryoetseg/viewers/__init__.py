"""Scipion finds the viewers that are imported here."""
from .viewer_coordinates import CryoEtSegPicksViewer, CryoEtSegScatterViewer, CryoEtSegScoresViewer
from .viewer_evaluation import CryoEtSegEvaluationViewer
from .viewer_overlay import CryoEtSegOverlayViewer
from .viewer_segment_membranes import CryoEtSegSegmentMembranesViewer
from .viewer_segment_slabs import CryoEtSegSegmentSlabsViewer
from .viewer_simulate_tomograms import CryoEtSegSimulationViewer
from .viewer_training import CryoEtSegTrainingViewer

__all__ = [
    "CryoEtSegEvaluationViewer",
    "CryoEtSegOverlayViewer",
    "CryoEtSegPicksViewer",
    "CryoEtSegScatterViewer",
    "CryoEtSegScoresViewer",
    "CryoEtSegSegmentMembranesViewer",
    "CryoEtSegSegmentSlabsViewer",
    "CryoEtSegSimulationViewer",
    "CryoEtSegTrainingViewer",
]
