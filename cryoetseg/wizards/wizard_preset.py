"""The wand of a preset: its values stand in the form, so that what is shown is what runs."""
from typing import Any

from pyworkflow.gui.dialog import showInfo
from pyworkflow.wizard import Wizard

from cryoetseg import protocols
from cryoetseg.core.runtime.params import PRESETS
from cryoetseg.protocols.form_builder import PRESET

DEFAULT = PRESETS.index("default")


class CryoEtSegPresetWizard(Wizard):
    """Writes the values of the chosen preset into the form, where each can be seen and changed."""

    _targets = [(made, [PRESET]) for made in (getattr(protocols, name) for name in protocols.__all__)
                if hasattr(getattr(made, "_model", None), "published")]

    def show(self, form: Any, *params: Any) -> None:
        """Called by the form's wizard button."""
        preset = PRESETS[form.protocol.preset.get()]
        for name, value in form.protocol.presetValues(preset).items():
            form.setVar(name, value)
        # else a value that is set back to the default afterwards would count as the published one
        form.setVar(PRESET, DEFAULT)
        showInfo("Preset", f"The {preset} values stand in the form; what it shows counts, whatever you change.", form.root)
