"""Sentences for papers: what was done otherwise than the paper of a method says."""
from typing import Any, Dict, List, Type

from cryoetseg.core.runtime.params import FieldDescription, Parameters, describe


def otherThanPublished(model: Type[Parameters], values: Dict[str, Any]) -> List[str]:
    """One sentence with the settings that act and differ from the published ones; none where all are published or none are known."""
    if not hasattr(model, "published"):
        return []
    published = model.published()
    named = {name for name, field in model.model_fields.items() if (field.json_schema_extra or {}).get("published") is not None}
    fields = [field for field in describe(model) if field.name in named and field.acts(values)]
    other = [f"{field.label[0].lower()}{field.label[1:]} {_shown(field, values[field.name])} ({_shown(field, ofPaper)})"
             for field, ofPaper in ((field, getattr(published, field.name)) for field in fields) if values[field.name] != ofPaper]
    return [f"Settings other than the published ones, which stand in brackets: {', '.join(other)}."] if other else []


def _shown(field: FieldDescription, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ") or "automatic"
    return f"{text} Å" if field.unit == "A" else text
