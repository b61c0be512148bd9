"""Delivery as an author writes it: what is checked when the contract is read."""

from typing import Any, Protocol

import pytest

from wsf import ContractError, Delivery, callback_contract, operation_contract, service_contract
from wsf.behaviors import OutboxOperation, OutboxSettings
from wsf.reflection import describe


def contract_with(delivery: Any, *, is_one_way: bool = True) -> type[Any]:
    class Prices(Protocol):
        @operation_contract(is_one_way=is_one_way, delivery=delivery)
        async def tick(self, symbol: str, price: float) -> None: ...

    return callback_contract(Prices)


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery.DISCONNECT,
        Delivery.DROP_OLDEST,
        Delivery.DROP_NEWEST,
        Delivery.latest(),
        Delivery.latest("symbol"),
        Delivery.latest("symbol.name.first"),
        Delivery.latest(lambda symbol, price: symbol),
        Delivery.block(2.5),
    ],
    ids=str,
)
def test_a_callback_operation_keeps_its_delivery(delivery: Delivery) -> None:
    assert describe(contract_with(delivery)).operations[0].delivery is delivery


def test_without_one_a_slow_client_is_cut() -> None:
    assert describe(contract_with(None)).operations[0].delivery is Delivery.DISCONNECT


@pytest.mark.parametrize(
    ("delivery", "is_one_way", "said"),
    [
        (Delivery.latest("sym"), True, r"latest\('sym'\) names no parameter.*symbol, price"),
        (Delivery.DROP_OLDEST, False, "not one-way"),
        ("drop_oldest", True, "'drop_oldest' is no wsf.Delivery"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(delivery: Any, is_one_way: bool, said: str) -> None:
    with pytest.raises(ContractError, match=said) as caught:
        describe(contract_with(delivery, is_one_way=is_one_way))
    assert "test_delivery.py:" in str(caught.value)


def test_what_a_client_calls_has_no_delivery() -> None:
    @service_contract
    class Shop(Protocol):
        @operation_contract(is_one_way=True, delivery=Delivery.DROP_NEWEST)
        async def order(self, what: str) -> None: ...

    with pytest.raises(ContractError, match=r"Shop\.order.*has a delivery"):
        describe(Shop)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_caller_blocks_for_some_time(timeout: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Delivery.block(timeout)


@pytest.mark.parametrize("key", ["", 5, b"symbol"])
def test_a_key_is_a_name_or_a_function(key: Any) -> None:
    with pytest.raises(TypeError, match="a key is"):
        Delivery.latest(key)


@pytest.mark.parametrize(("own", "is_refused"), [(9, False), (10, False), (11, True)])
@pytest.mark.parametrize("bound", ["max_bytes", "max_messages"])
def test_an_operations_own_bounds_are_tighter(bound: str, own: int, is_refused: bool) -> None:
    def make() -> OutboxSettings:
        return OutboxSettings(10, 10, operations=(OutboxOperation(name="tick", **{bound: own}),))

    if is_refused:
        with pytest.raises(ValueError, match=f"tick.*{bound} of 11.*outbox's 10"):
            make()
    else:
        assert getattr(make().operations[0], bound) == own


@pytest.mark.parametrize(("own", "is_refused"), [(1.5, False), (2.0, False), (2.5, True)])
def test_a_timeout_only_shortens_what_the_contract_says(own: float, is_refused: bool) -> None:
    operation = describe(contract_with(Delivery.block(2.0))).operations[0]
    settings = OutboxSettings(operations=(OutboxOperation(name="tick", timeout=own),))
    if is_refused:
        with pytest.raises(ContractError, match=r"timeout of 2.5 s.*block\(2\)"):
            settings.outlet("Prices.tick", operation)
    else:
        assert settings.outlet("Prices.tick", operation).delivery == Delivery.block(own)


def test_a_timeout_is_for_block_only() -> None:
    operation = describe(contract_with(Delivery.DROP_NEWEST)).operations[0]
    settings = OutboxSettings(operations=(OutboxOperation(name="tick", timeout=1.0),))
    with pytest.raises(ContractError, match="dropNewest"):
        settings.outlet("Prices.tick", operation)
