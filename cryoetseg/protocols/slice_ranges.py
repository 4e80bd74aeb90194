"""Ranges of slices in forms: *First slice* and *Last slice*, both counted from 0 and included; a last slice of 0 is the end.

The core's ranges end before ``z_end``; here alone one becomes the other. Where the form offers it, both are percent of the height of each
tomogram instead.
"""
from typing import Any, Dict, List, Optional, Tuple

START, END = "z_start", "z_end"  # fields of parameter models
FIRST_ATTRIBUTE, LAST_ATTRIBUTE = "zStart", "zLast"  # attributes of protocols
AUTO, AUTO_ATTRIBUTE = "z_auto", "zAuto"
PERCENT_ATTRIBUTE, PERCENT_LABEL = "zPercent", "In percent of the height"
PERCENT_HELP = ("First and last slice are percent of the height of each tomogram instead of numbers, so that one range fits tomograms of "
                "different heights: 25 and 75 take the middle half.")
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


def isAutomatic(protocol: Any) -> bool:
    """Whether the slices are those in which each tomogram holds sample."""
    automatic = getattr(protocol, AUTO_ATTRIBUTE, None)
    return automatic is not None and bool(automatic.get())


def isWhole(protocol: Any) -> bool:
    """Whether no slice is named, so that any tomogram fits."""
    return isAutomatic(protocol) or not (protocol.zStart.get() or protocol.zLast.get())


def isPercent(protocol: Any) -> bool:
    """Whether first and last slice are percent of the height."""
    percent = getattr(protocol, PERCENT_ATTRIBUTE, None)
    return percent is not None and bool(percent.get()) and not isAutomatic(protocol)


def rangeOf(protocol: Any, height: int = 0) -> Tuple[int, int]:
    """First slice and the core's end of the form's range; where it is in percent, of a tomogram of ``height`` slices."""
    first, last = protocol.zStart.get() or 0, protocol.zLast.get() or 0
    if not isPercent(protocol):
        return first, endOf(last)
    start = min(round(height * first / 100), height - 1)
    return start, max(start + 1, round(height * (last or 100) / 100))


def formRange(protocol: Any, first: int, end: int, height: int) -> Dict[str, int]:
    """What the form has for the slices from ``first`` to before ``end`` of a tomogram of ``height`` slices."""
    if isPercent(protocol):
        return {FIRST_ATTRIBUTE: round(100 * first / height), LAST_ATTRIBUTE: round(100 * end / height)}
    return {FIRST_ATTRIBUTE: first, LAST_ATTRIBUTE: lastOf(end)}


def rangeInWords(protocol: Any) -> str:
    """``slices 12 to 17``, ``all slices``, ``the slices from 25 to 75 % of the height``."""
    if isAutomatic(protocol):
        return "the slices that hold the sample"
    first, last = protocol.zStart.get() or 0, protocol.zLast.get() or 0
    if isWhole(protocol):
        return "all slices"
    if isPercent(protocol):
        return f"the slices from {first} to {last or 100} % of the height"
    return f"slices {first} to {last or 'the last'}"


def rangeErrors(protocol: Any, heights: Dict[str, int]) -> List[str]:
    """Messages about a range that is empty or does not lie in all tomograms, whose ``heights`` are given in slices by their names."""
    if isAutomatic(protocol):
        return []
    if isPercent(protocol):
        return _percentErrors(protocol.zStart.get() or 0, protocol.zLast.get() or 100)
    first, end = rangeOf(protocol)
    if end and end <= first:
        return [f"*Last slice* = {lastOf(end)} lies before *First slice* = {first}. Allowed: {first} or more, or 0 for the end."]
    outside = [f"{name} ({height} slices)" for name, height in sorted(heights.items()) if max(first + 1, end) > height]
    if outside:
        where, most = ", ".join(outside[:SHOWN]), min(heights.values()) - 1
        return [f"Slices {first} to {lastOf(end) if end else 'the last'} are not in {where}. Allowed: 0 to {most}. "
                "What to do: choose a range inside, or a subset of the tomograms."]
    return []


def _percentErrors(first: int, last: int) -> List[str]:
    if first < last <= 100:
        return []
    return [f"*First slice* = {first} and *Last slice* = {last} are no range in percent. Allowed: 0 to 100, the first below the last, "
            f"or 0 for the end. What to do: switch *{PERCENT_LABEL}* off where these are numbers of slices."]
