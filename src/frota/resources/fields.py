"""The building blocks of all kinds: strict objects, names, paths, quantities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from frota.resources.quantity import (
    BYTES_PATTERN,
    DURATION_PATTERN,
    GIB,
    MIB,
    SHARE_PATTERN,
    QuantityError,
    format_bytes,
    format_duration,
    format_share,
    parse_duration,
    parse_share,
    whole_units,
)

API_VERSION = "frota.dev/v1alpha1"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
LABEL_KEY_PATTERN = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
LABEL_VALUE_PATTERN = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
MODEL_PATTERN = r"^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$"
PATH_PATTERN = r"^/[^\x00-\x1f\x7f]*$"
URI_PATTERN = r"^[a-z][a-z0-9]*(\+[a-z0-9]+)?://[^\s\x00-\x1f]*$"
AGENT_PATTERN = r"^fence_[a-z0-9_]+$"
OPTION_PATTERN = r"^[a-z][a-z0-9_-]*$"
LINE_PATTERN = r"^[^\x00-\x1f\x7f]*$"
ADDRESS_PATTERN = r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"
NETWORK_PATTERN = r"^(bridge:)?[A-Za-z0-9][A-Za-z0-9._-]*$"
ENV_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
RESOURCE_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
HTTPS_PATTERN = r"^https://[A-Za-z0-9][^\s\x00-\x1f]*$"
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
IMAGE_PATTERN = r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$"
SOURCE_PATTERN = r"^(https?|az|abfss|s3|gs|hf|pvc)://[^\s\x00-\x1f]+$"
STORE_PATTERN = r"^(https|az|file)://[^\s\x00-\x1f]+$"
CIDR_PATTERN = r"^[0-9A-Fa-f.:]+/[0-9]{1,3}$"
SUBJECT_PATTERN = r"^[A-Za-z0-9]([-A-Za-z0-9_.:@/ ]*[A-Za-z0-9])?$"
AVAILABILITY_PATTERN = r"^[0-9]{1,2}(\.[0-9]{1,4})?%$"

# What each pattern asks for, in words that fit after "expected".
PATTERN_WORDS = {
    NAME_PATTERN: "a name of up to 63 lower-case letters, digits and -, no - at its ends",
    LABEL_KEY_PATTERN: "a label key such as team or example.com/team",
    LABEL_VALUE_PATTERN: "up to 63 letters, digits, -, _ and ., a letter or digit at both ends",
    MODEL_PATTERN: "a model such as A100 or 10de:20b0",
    PATH_PATTERN: "an absolute path such as /srv/frota",
    URI_PATTERN: "a URI such as qemu+tls://host.example/system",
    AGENT_PATTERN: "a fence agent such as fence_ipmilan",
    OPTION_PATTERN: "an option name of lower-case letters, digits, _ and -",
    LINE_PATTERN: "text on one line",
    ADDRESS_PATTERN: "an address and port such as 10.0.0.254:53",
    NETWORK_PATTERN: "a libvirt network such as default, or a bridge such as bridge:br0",
    ENV_PATTERN: "the name of an environment variable",
    RESOURCE_PATTERN: "a Kubernetes resource such as nvidia.com/gpu",
    UUID_PATTERN: "a client id such as 11111111-2222-3333-4444-555555555555",
    HTTPS_PATTERN: "a URL such as https://oidc.example/east/",
    DIGEST_PATTERN: "a digest: sha256: and 64 digits 0-9, a-f",
    IMAGE_PATTERN: "an image by its digest, registry.example/name@sha256: and 64 digits 0-9, a-f",
    SOURCE_PATTERN: "a place to fetch from (https, http, az, abfss, s3, gs, hf, pvc): az://acme/m.tar",
    STORE_PATTERN: "a store such as file:///srv/frota/bundles or https://acme.blob.example/frota",
    CIDR_PATTERN: "a network such as 10.1.2.0/24",
    SUBJECT_PATTERN: "a group as the clusters know it, such as ml-oncall or its object id",
    AVAILABILITY_PATTERN: "a share such as 99.9%",
}  # fmt: skip


class Strict(BaseModel):
    """An object with known fields only, written in camelCase; never changed once made."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_default=False,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]
GpuModel = Annotated[str, Field(pattern=MODEL_PATTERN, max_length=63)]
AbsolutePath = Annotated[str, Field(pattern=PATH_PATTERN, max_length=1024)]
Uri = Annotated[str, Field(pattern=URI_PATTERN, max_length=1024)]
Line = Annotated[str, Field(pattern=LINE_PATTERN, max_length=4096)]
LabelKey = Annotated[str, Field(pattern=LABEL_KEY_PATTERN, max_length=317)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE_PATTERN, max_length=63)]


def _quantity(normalise: Callable[[str], str], schema: dict[str, Any]) -> Any:
    """The annotations of a quantity that is stored in its shortest exact form."""

    def check(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise PydanticCustomError("quantity_type", "not a quantity")
        try:
            return normalise(value if isinstance(value, str) else repr(value))
        except QuantityError as error:
            words = {"expected": error.expected, "hint": error.hint}
            raise PydanticCustomError("quantity", "expected {expected}", words) from None

    return PlainValidator(check), WithJsonSchema(schema)


def _size(unit: int, least: int) -> Any:
    def normalise(text: str) -> str:
        number = whole_units(text, unit) * unit
        if number < least:
            raise QuantityError(f"at least {format_bytes(least)}")
        return format_bytes(number)

    schema = {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": BYTES_PATTERN,
        "x-kubernetes-int-or-string": True,
    }
    return _quantity(normalise, schema)


def _duration(least: float) -> Any:
    def normalise(text: str) -> str:
        seconds = parse_duration(text)
        if seconds < least:
            raise QuantityError(f"at least {format_duration(least)}")
        return format_duration(seconds)

    return _quantity(normalise, {"type": "string", "pattern": DURATION_PATTERN})


def _share(text: str) -> str:
    return format_share(parse_share(text))


Memory = Annotated[str, *_size(MIB, MIB)]
ReservedMemory = Annotated[str, *_size(MIB, 0)]
Disk = Annotated[str, *_size(GIB, GIB)]
Duration = Annotated[str, *_duration(0.1)]
Pause = Annotated[str, *_duration(0.0)]  # a time that may be none at all
Share = Annotated[str, *_quantity(_share, {"type": "string", "pattern": SHARE_PATTERN})]


def by_key(field: str) -> JsonDict:
    """Tell the API server that items of a list differ in this field."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]}


class Metadata(Strict):
    """What every resource is called."""

    name: Name = Field(
        description="The name; unique among resources of this kind.", examples=["plant-east"]
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="Words of your own, to find and group resources.",
        examples=[{"team": "ml"}],
    )
