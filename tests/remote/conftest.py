"""The bucket of the tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stable_tiles.remote.objects import objects_at
from tests.remote.bucket import ENVIRONMENT, Bucket


@pytest.fixture(scope="session")
def started() -> Iterator[Bucket]:
    """A bucket that all tests share; skipped where what it needs is not installed."""
    for package in ("moto", "flask", "flask_cors", "obstore"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[test]'")
    bucket = Bucket()
    yield bucket
    bucket.close()


@pytest.fixture
def bucket(started: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The same, with nothing counted, and the environment that leads to it."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", started.endpoint)
    objects_at.cache_clear()
    started.forget()
    yield started
    objects_at.cache_clear()
