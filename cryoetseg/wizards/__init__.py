"""Scipion finds the wizards that are imported here."""
from .wizard_lists import CryoEtSegListWizard
from .wizard_preset import CryoEtSegPresetWizard
from .wizard_segment_slabs import CryoEtSegSlabRangeWizard, CryoEtSegThresholdWizard
from .wizard_tomogram import CryoEtSegDiameterWizard, CryoEtSegTiltRangeWizard, CryoEtSegVoxelSizeWizard

__all__ = ["CryoEtSegDiameterWizard", "CryoEtSegListWizard", "CryoEtSegPresetWizard", "CryoEtSegSlabRangeWizard",
           "CryoEtSegThresholdWizard", "CryoEtSegTiltRangeWizard", "CryoEtSegVoxelSizeWizard"]
