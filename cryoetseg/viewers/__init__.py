"""Scipion finds the viewers that are imported here."""
from .viewer_evaluation import CryoEtSegEvaluationViewer
from .viewer_overlay import CryoEtSegOverlayViewer
from .viewer_segment_slabs import CryoEtSegSegmentSlabsViewer
from .viewer_simulate_tomograms import CryoEtSegSimulationViewer

__all__ = ["CryoEtSegEvaluationViewer", "CryoEtSegOverlayViewer", "CryoEtSegSegmentSlabsViewer", "CryoEtSegSimulationViewer"]
