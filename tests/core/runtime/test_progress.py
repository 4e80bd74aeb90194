"""Progress never changes what is iterated, and stays quiet when the work is short."""

from cryoetseg.core.runtime.progress import track


def test_items_pass_through_in_order(capsys):
    assert list(track(iter(range(5)), "work", total=5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_stopping_early_is_allowed():
    for item in track(range(10), "work"):
        if item == 3:
            break
    assert item == 3
