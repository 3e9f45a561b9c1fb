"""The pictures in the docs are those that the planners draw today."""

from __future__ import annotations

from tools.pictures import main


def test_pictures_are_current() -> None:
    assert main(["--check"]) == 0, "run: python -m tools.pictures"
