"""cryoetseg: segmentation, restoration and simulation of cellular cryo-electron tomograms without hand labels.

Importing this package needs neither Scipion nor torch: ``cryoetseg.core`` also runs alone, in another interpreter.
"""
from typing import Any

__version__ = "0.1.0"
_logo = "cryoetseg_logo.png"
_references: list = []  # each protocol names what it uses; Scipion would add these to all


def __getattr__(name: str) -> Any:
    """Import Scipion's plugin class only when Scipion asks for it (PEP 562)."""
    if name == "Plugin":
        from ._plugin import Plugin

        globals()["Plugin"] = Plugin
        return Plugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
