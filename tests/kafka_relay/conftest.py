import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from relay_alone import World  # noqa: E402
from testdb import TestDb  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def template():
    World.template = TestDb()
    yield
    World.template.drop()


@pytest.fixture
def w():
    world = World()
    try:
        yield world
    finally:
        world.close()
