"""Scipion finds the test classes below: ``scipion3 tests --grep cryoetseg``."""
