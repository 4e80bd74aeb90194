"""Scipion finds the protocols that are imported here."""
from .protocol_cluster_particles import ProtCryoEtSegClusterParticles
from .protocol_compare_voxuda import ProtCryoEtSegCompareVoxUda
from .protocol_copick import ProtCryoEtSegExportCopick, ProtCryoEtSegImportCopick
from .protocol_curate_coordinates import ProtCryoEtSegCurateCoordinates
from .protocol_curate_membranes import ProtCryoEtSegCurateMembranes
from .protocol_dual import (
    ProtCryoEtSegConvertDual,
    ProtCryoEtSegDenoiseDual,
    ProtCryoEtSegFillWedge,
    ProtCryoEtSegSimulateDual,
)
from .protocol_evaluate_picking import ProtCryoEtSegEvaluatePicking
from .protocol_evaluate_segmentation import ProtCryoEtSegEvaluateSegmentation
from .protocol_export_coordinates import ProtCryoEtSegExportCoordinates
from .protocol_export_dual import ProtCryoEtSegExportDual
from .protocol_generate_particles import ProtCryoEtSegGenerateParticles
from .protocol_measure_membranes import ProtCryoEtSegMeasureMembranes
from .protocol_models import ProtCryoEtSegExportModel, ProtCryoEtSegImportModel
from .protocol_paste_particles import ProtCryoEtSegPasteParticles
from .protocol_pick_dog import ProtCryoEtSegPickDog
from .protocol_pick_particles import ProtCryoEtSegPickParticles
from .protocol_segment_classes import ProtCryoEtSegSegmentClasses
from .protocol_segment_filaments import ProtCryoEtSegSegmentFilaments
from .protocol_segment_membranes import ProtCryoEtSegSegmentMembranes
from .protocol_segment_slabs import ProtCryoEtSegSegmentSlabs
from .protocol_segment_subtomograms import ProtCryoEtSegSegmentSubtomograms
from .protocol_segment_voxuda import ProtCryoEtSegSegmentVoxUda
from .protocol_select_by_cluster import ProtCryoEtSegSelectByCluster
from .protocol_select_by_score import ProtCryoEtSegSelectByScore
from .protocol_simulate_tomograms import ProtCryoEtSegSimulateTomograms
from .protocol_threshold_membranes import ProtCryoEtSegThresholdMembranes
from .protocol_train_dual import ProtCryoEtSegTrainDual, ProtCryoEtSegTrainWedge
from .protocol_train_generator import ProtCryoEtSegTrainGenerator
from .protocol_train_membranes import ProtCryoEtSegTrainMembranes
from .protocol_train_picker import ProtCryoEtSegTrainPicker
from .protocol_train_segmenter import ProtCryoEtSegTrainSegmenter
from .protocol_train_voxuda import ProtCryoEtSegTrainVoxUda
from .protocol_transfer_dual import ProtCryoEtSegTransferDual

__all__ = [
    "ProtCryoEtSegClusterParticles",
    "ProtCryoEtSegCompareVoxUda",
    "ProtCryoEtSegConvertDual",
    "ProtCryoEtSegCurateCoordinates",
    "ProtCryoEtSegCurateMembranes",
    "ProtCryoEtSegDenoiseDual",
    "ProtCryoEtSegEvaluatePicking",
    "ProtCryoEtSegEvaluateSegmentation",
    "ProtCryoEtSegExportCoordinates",
    "ProtCryoEtSegExportCopick",
    "ProtCryoEtSegExportDual",
    "ProtCryoEtSegExportModel",
    "ProtCryoEtSegFillWedge",
    "ProtCryoEtSegGenerateParticles",
    "ProtCryoEtSegImportCopick",
    "ProtCryoEtSegImportModel",
    "ProtCryoEtSegMeasureMembranes",
    "ProtCryoEtSegPasteParticles",
    "ProtCryoEtSegPickDog",
    "ProtCryoEtSegPickParticles",
    "ProtCryoEtSegSegmentClasses",
    "ProtCryoEtSegSegmentFilaments",
    "ProtCryoEtSegSegmentMembranes",
    "ProtCryoEtSegSegmentSlabs",
    "ProtCryoEtSegSegmentSubtomograms",
    "ProtCryoEtSegSegmentVoxUda",
    "ProtCryoEtSegSelectByCluster",
    "ProtCryoEtSegSelectByScore",
    "ProtCryoEtSegSimulateDual",
    "ProtCryoEtSegSimulateTomograms",
    "ProtCryoEtSegThresholdMembranes",
    "ProtCryoEtSegTrainDual",
    "ProtCryoEtSegTrainGenerator",
    "ProtCryoEtSegTrainMembranes",
    "ProtCryoEtSegTrainPicker",
    "ProtCryoEtSegTrainSegmenter",
    "ProtCryoEtSegTrainVoxUda",
    "ProtCryoEtSegTrainWedge",
    "ProtCryoEtSegTransferDual",
]
