"""The objects of the example fleets are those that were reviewed."""

from __future__ import annotations

import pytest

from tests.compile.fleets import EXAMPLES
from tests.compile.golden import GOLDEN, texts


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_comes_to_what_was_reviewed(example: str) -> None:
    kept = {file.name: file.read_text("utf-8") for file in (GOLDEN / example).glob("*.yaml")}
    again = "if the change is meant, run: python -m tests.compile.golden, and review its diff"
    made = texts(example)
    assert sorted(made) == sorted(kept), again
    for name, text in made.items():
        assert text == kept[name], f"{example}/{name}: {again}"
