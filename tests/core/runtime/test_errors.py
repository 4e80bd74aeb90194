"""Every error is one line that says what was got, what is allowed and what to do, with a code of its own."""

import pytest

from cryoetseg.core.runtime import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CryoetsegError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_says_all_three_in_one_line(kind):
    text = str(kind("got 3", "1 or 2", "choose another"))
    assert text == "got 3. Allowed: 1 or 2. What to do: choose another."


def test_what_is_not_said_leaves_no_trace():
    assert str(errors.InputError("the file is empty.")) == "the file is empty."


def test_exit_codes_are_distinct_and_none_is_success():
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
