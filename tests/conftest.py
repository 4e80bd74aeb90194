"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory):
    """Checksums of large files are remembered here, not in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public test data beside the checkout; tests that need it skip where it is absent."""
    for folder in (ROOT.parent / "shared" / "data", ROOT / "shared" / "data"):
        if (folder / "README.md").is_file():
            return folder
    pytest.skip("the test data folder ../shared/data is not here")
