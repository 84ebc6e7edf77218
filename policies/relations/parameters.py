"""Condition parameters: a JSON value of the context → the typed value CEL computes with.

The conversions are the server's (openfga/openfga, internal/condition/types): strict, so that
`1.5` is no int and `"yes"` no bool, but `"5"` is the int 5, since JSON numbers lose digits.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from policies.model import Json
from policies.relations.model import ParameterKind, ParameterType

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
# https://pkg.go.dev/time#ParseDuration
_DURATION = re.compile(r"([+-]?)(0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_MICROSECONDS = {"ns": "0.001", "us": "1", "µs": "1", "μs": "1", "ms": "1000", "s": "1000000", "m": "60000000", "h": "3600000000"}


def typed(value: Json, to: ParameterType) -> object:
    """The value as CEL takes it. Raises ValueError saying what was expected."""
    if to.kind is ParameterKind.LIST:
        if not isinstance(value, (list, tuple)):
            raise _expected("a list", value)
        return [typed(item, _items(to)) for item in value]
    if to.kind is ParameterKind.MAP:
        if not isinstance(value, Mapping):
            raise _expected("an object", value)
        return {key: typed(item, _items(to)) for key, item in value.items()}
    return _CONVERSIONS[to.kind](value)


def _items(of: ParameterType) -> ParameterType:
    assert of.items is not None
    return of.items


def _expected(what: str, found: object) -> ValueError:
    return ValueError(f"expected {what}, found {type(found).__name__} {str(found)[:60]!r}")


def _any(value: Json) -> object:
    """As it stands; numbers are JSON's, which are doubles to the server."""
    if isinstance(value, (list, tuple)):
        return [_any(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _any(item) for key, item in value.items()}
    return value if isinstance(value, bool) or not isinstance(value, int) else _double(value)


def _bool(value: Json) -> object:
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def _string(value: Json) -> object:
    if not isinstance(value, str):
        raise _expected("a text", value)
    return value


def _number(value: Json) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _expected("a number", value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _expected("a number", value) from None
    if not number.is_finite():
        raise _expected("a finite number", value)
    return number


def _whole(value: Json, least: int, most: int) -> int:
    number = _number(value)
    if abs(number.adjusted()) > 30 and number:
        raise _expected("a whole number within 64 bits", value)
    if number != number.to_integral_value() or not least <= number <= most:
        raise _expected(f"a whole number from {least} to {most}", value)
    return int(number)


def _int(value: Json) -> object:
    return _whole(value, -(2**63), 2**63 - 1)


def _uint(value: Json) -> object:
    return _whole(value, 0, 2**63 - 1)


def _double(value: Json) -> object:
    number = float(_number(value))
    if math.isinf(number):
        raise _expected("a number within the range of a double", value)
    return number


def duration(value: Json) -> timedelta:
    """Go's written form, `1h30m`; below a microsecond is cut off. Raises ValueError."""
    whole = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if whole is None:
        raise _expected("a duration such as 1h30m", value)
    total = sum(Decimal(number) * Decimal(_MICROSECONDS[unit]) for number, unit in _DURATION_PART.findall(whole[2]))
    if total >= 2**63 // 1000:
        raise _expected("a duration within 64 bits of nanoseconds", value)
    return timedelta(microseconds=-int(total) if whole[1] == "-" else int(total))


def timestamp(value: Json) -> datetime:
    """RFC 3339; below a microsecond is cut off. Raises ValueError."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise _expected("a time as RFC 3339", value)
    return datetime.fromisoformat(value)


def address(value: Json) -> str:
    """The one written form of an IP address; IPv4 within IPv6 is IPv4. Raises ValueError."""
    if not isinstance(value, str):
        raise _expected("an IP address", value)
    found = ipaddress.ip_address(value)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def in_cidr(of: str, network: str) -> bool:
    """Does the network hold the address? Raises ValueError."""
    if "/" not in network:
        raise _expected("a network as 10.0.0.0/8", network)
    within = ipaddress.ip_network(network, strict=False)
    if isinstance(within, ipaddress.IPv6Network) and within.network_address.ipv4_mapped and within.prefixlen >= 96:
        within = ipaddress.ip_network(f"{within.network_address.ipv4_mapped}/{within.prefixlen - 96}", strict=False)
    return ipaddress.ip_address(of) in within


_CONVERSIONS: Mapping[ParameterKind, Callable[[Json], object]] = {
    ParameterKind.ANY: _any,
    ParameterKind.BOOL: _bool,
    ParameterKind.STRING: _string,
    ParameterKind.INT: _int,
    ParameterKind.UINT: _uint,
    ParameterKind.DOUBLE: _double,
    ParameterKind.DURATION: duration,
    ParameterKind.TIMESTAMP: timestamp,
    ParameterKind.IPADDRESS: address,
}
