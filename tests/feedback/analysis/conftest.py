"""The reader is expensive to build and never changes: one for all tests."""

import pytest

from apps.feedback.analysis import Reader


@pytest.fixture(scope="session")
def reader() -> Reader:
    return Reader.from_package()
