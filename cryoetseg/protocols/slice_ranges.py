"""Ranges of slices in forms: *First slice* and *Last slice*, both counted from 0 and included; a last slice of 0 is the end.

The core's ranges end before ``z_end``; here alone one becomes the other.
"""
from typing import Any, Dict, List, Optional, Tuple

START, END = "z_start", "z_end"  # fields of parameter models
FIRST_ATTRIBUTE, LAST_ATTRIBUTE = "zStart", "zLast"  # attributes of protocols
AUTO_ATTRIBUTE = "zAuto"
LABELS = {START: "First slice", END: "Last slice"}
SHOWN = 5  # tomograms that are named


def endOf(last: Optional[int]) -> int:
    """The core's end of a range whose last slice is ``last``; 0 stays the end of the tomogram."""
    return last + 1 if last else 0


def lastOf(end: int) -> int:
    """The last slice of a range that ends before ``end``."""
    return max(end - 1, 0)


def helpOf(name: str, text: str) -> str:
    """Help of a slice of a range, from that of its field, whose part after the semicolon says what 0 takes."""
    if name == START:
        return text
    return "Last slice, itself included, counted from 0;" + text.partition(";")[2]


def rangeOf(protocol: Any) -> Tuple[int, int]:
    """First slice and the core's end of the form's range."""
    return protocol.zStart.get() or 0, endOf(protocol.zLast.get())


def isAutomatic(protocol: Any) -> bool:
    """Whether the slices are those in which each tomogram holds sample."""
    automatic = getattr(protocol, AUTO_ATTRIBUTE, None)
    return automatic is not None and bool(automatic.get())


def rangeInWords(protocol: Any) -> str:
    """``slices 12 to 17``, ``all slices``."""
    if isAutomatic(protocol):
        return "the slices that hold the sample"
    first, end = rangeOf(protocol)
    if not first and not end:
        return "all slices"
    return f"slices {first} to {lastOf(end) if end else 'the last'}"


def rangeErrors(protocol: Any, heights: Dict[str, int]) -> List[str]:
    """Messages about a range that is empty or does not lie in all tomograms, whose ``heights`` are given in slices by their names."""
    if isAutomatic(protocol):
        return []
    first, end = rangeOf(protocol)
    if end and end <= first:
        return [f"*Last slice* = {lastOf(end)} lies before *First slice* = {first}. Allowed: {first} or more, or 0 for the end."]
    outside = [f"{name} ({height} slices)" for name, height in sorted(heights.items()) if max(first + 1, end) > height]
    if outside:
        where, most = ", ".join(outside[:SHOWN]), min(heights.values()) - 1
        return [f"Slices {first} to {lastOf(end) if end else 'the last'} are not in {where}. Allowed: 0 to {most}. "
                "What to do: choose a range inside, or a subset of the tomograms."]
    return []
