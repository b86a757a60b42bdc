"""IMGAPI's refusals: each code has one status. Facts: sdc-apis 6.7; the sentences are IMGAPI's own."""

from __future__ import annotations

from collections.abc import Sequence

from datacenter.restify import RestError

STATUSES = {
    "ValidationFailed": 422,
    "InvalidParameter": 422,
    "ImageFilesImmutable": 422,
    "ImageAlreadyActivated": 422,
    "NoActivationNoFile": 422,
    "OwnerDoesNotExist": 422,
    "AccountDoesNotExist": 422,
    "NotImageOwner": 422,
    "OriginDoesNotExist": 422,
    "OriginIsNotActive": 422,
    "ImageHasDependentImages": 422,
    "ImageNotShared": 422,
    "InsufficientServerVersion": 422,
    "OperatorOnly": 403,
    "ImageUuidAlreadyExists": 409,
    "Upload": 400,
    "Download": 400,
    "ImageFileTooBig": 400,
    "NotImplemented": 400,
    "RemoteSourceError": 503,
    "StorageIsDown": 503,
    "StorageUnsupported": 503,
    "NotAvailable": 501,
    "ResourceNotFound": 404,
    "InternalError": 500,
}


def refuse(code: str, message: str) -> RestError:
    return RestError(STATUSES[code], code, message)


def invalid_data(message: str, fields: Sequence[str], code: str, why: str = "") -> RestError:
    """A ValidationFailed that names its fields."""
    return RestError(422, "ValidationFailed", message, [_about(field, code, why) for field in fields])


def invalid(message: str, field: str, code: str = "Invalid", why: str = "") -> RestError:
    """An InvalidParameter."""
    return RestError(422, "InvalidParameter", message, [_about(field, code, why)])


def _about(field: str, code: str, why: str) -> dict[str, str]:
    return {"field": field, "code": code} | ({"message": why} if why else {})


def has_dependents(uuid: str, dependents: Sequence[str]) -> RestError:
    told = ", ".join(dependents if len(dependents) < 10 else dependents[:5])
    more = f", and {len(dependents) - 5} more..." if len(dependents) >= 10 else ""
    count = len(dependents)
    return refuse("ImageHasDependentImages", f'image "{uuid}" has {count} dependent incremental image(s): {told}{more}')
