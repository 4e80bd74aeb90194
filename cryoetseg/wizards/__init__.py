"""Scipion finds the wizards that are imported here."""
from .wizard_segment_slabs import CryoEtSegSlabRangeWizard, CryoEtSegThresholdWizard
from .wizard_tomogram import CryoEtSegDiameterWizard, CryoEtSegTiltRangeWizard, CryoEtSegVoxelSizeWizard

__all__ = ["CryoEtSegDiameterWizard", "CryoEtSegSlabRangeWizard", "CryoEtSegThresholdWizard", "CryoEtSegTiltRangeWizard",
           "CryoEtSegVoxelSizeWizard"]
