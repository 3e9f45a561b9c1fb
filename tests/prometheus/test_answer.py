"""Answers to queries, good and hostile."""

from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frota.drivers.prometheus.answer import NoAnswer, question, rates

VECTOR = (
    b'{"status":"success","data":{"resultType":"vector","result":['
    b'{"metric":{"namespace":"n","service":"s"},"value":[1.5,"0.25"]},'
    b'{"metric":{"namespace":"n","service":"t"},"value":[1.5,"NaN"]}]}}'
)


def test_rates_by_service() -> None:
    found = rates(VECTOR)
    assert found["n", "s"] == 0.25
    assert isnan(found["n", "t"])
    assert rates(b'{"data":{"result":[]}}') == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"status":"error","errorType":"bad_data","error":"x"}',
        b'{"data":{"result":[{"metric":{},"value":[1,"fast"]}]}}',
        b'{"data":{"result":[{"metric":{"service":7},"value":[1,"1"]}]}}',
        b'{"data":{"result":[{"metric":{},"value":[1,"-Inf"]}]}}',
        b"[" * 100_000,
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(NoAnswer):
        rates(body)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        rates(body)
    except NoAnswer:
        return


def test_a_name_cannot_leave_its_quotes() -> None:
    assert 'cluster="a\\"b", window' in question('a"b')
