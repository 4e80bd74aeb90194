"""Scipion finds the wizards that are imported here."""
from .wizard_segment_slabs import CryoEtSegSlabRangeWizard, CryoEtSegThresholdWizard

__all__ = ["CryoEtSegSlabRangeWizard", "CryoEtSegThresholdWizard"]
