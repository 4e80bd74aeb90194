"""Scipion finds the protocols that are imported here."""
from .protocol_evaluate_picking import ProtCryoEtSegEvaluatePicking
from .protocol_evaluate_segmentation import ProtCryoEtSegEvaluateSegmentation
from .protocol_segment_slabs import ProtCryoEtSegSegmentSlabs
from .protocol_simulate_tomograms import ProtCryoEtSegSimulateTomograms

__all__ = [
    "ProtCryoEtSegEvaluatePicking",
    "ProtCryoEtSegEvaluateSegmentation",
    "ProtCryoEtSegSegmentSlabs",
    "ProtCryoEtSegSimulateTomograms",
]
