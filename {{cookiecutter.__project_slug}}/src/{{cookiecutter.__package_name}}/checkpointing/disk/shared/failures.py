"""What obstore refuses, in words: which part of it a person can act on, and how.

The text of such an error may contain the address of a request, with a signature in it, and what the
server answered. A message takes from it just the status and the server's own code.
"""

from __future__ import annotations

import os
import re

from obstore import exceptions

from ...base.errors import StorageError
from ...base.refusals import refusal_of, remedy_of
from ...base.secrets import masked, of_environment
from ...base.texts import VALUE_CHARACTERS, cut, one_line

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>|\"reason\": ?\"(\w+)\"")
_SYSTEM = re.compile(r"\(os error (\d+)\)|Os \{ code: (\d+)")
_REDIRECT = "incorrectly configured region"  # a redirection that does not say where to
_ADDRESS = re.compile(r"\bhttps?://\S+")

_ROLE = re.compile(r"169\.254\.|metadata\.google|/latest/(?:api|meta-data)|/metadata/identity")
"""In the address of a request that asks a cloud machine for its role."""

_WRONG_KEYS = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
    *("TokenRefreshRequired", "AuthFailure", "InvalidAuthenticationInfo", "AuthenticationFailed"),
    *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidSecurity", "NotSignedUp"),
}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"}
_OTHER_REGION = {
    *("PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect"),
    "IllegalLocationConstraintException",
}
_FULL = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "AccountStorageQuotaExceeded"}
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if you have one)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, the path of the key of a service account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_CLIENT_ID, "
    "AZURE_CLIENT_SECRET and AZURE_TENANT_ID",
}
_FAMILY = {"s3a": "s3", "abfs": "az", "abfss": "az"}


def is_no_bucket(error: BaseException) -> bool:
    """Whether it is not the object that is missing but the bucket that it would be in."""
    return _code(str(error)) in _NO_BUCKET


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    if type(error) is not exceptions.GenericError:
        return False
    text = str(error)
    status = _status(text)
    if _ROLE.search(text) or "builder error" in text or _REDIRECT in text:
        return False
    if status is None:
        return _SYSTEM.search(text) is None or "HTTP error" in text
    return (status >= 500 and status not in (501, 507)) or status in (408, 409, 425, 429)


def is_unsupported(error: Exception) -> bool:
    """Whether the storage does not know a condition that a request has."""
    is_unknown = isinstance(error, exceptions.NotSupportedError | NotImplementedError)
    return is_unknown or _status(str(error)) == 501


def failure_of(error: Exception, doing: str, url: str) -> StorageError:
    """The error for a person; one of ours stays as it is.

    Args:
        error: what obstore raised.
        doing: what was tried, as in "Reading lease.json".
        url: where.
    """
    if isinstance(error, StorageError):
        return error
    return StorageError(f"{doing} at {url} failed: {_why(error, url)}")


def not_opened(error: Exception, url: str) -> StorageError:
    """The error when the library cannot use what the environment says; nothing was sent so far."""
    if isinstance(error, StorageError):
        return error
    remedy = f"Check {_keys(_family(url))} in the environment."
    return StorageError(f"{url} cannot be used: {_said(str(error))}. {remedy}")


def wrong_endpoint(variable: str, url: str) -> StorageError:
    """The error for a variable that is to be the address of a server, and is none."""
    return StorageError(
        f"{url} cannot be used: {variable} in the environment is no address of a server. Write "
        f"http:// or https:// before the name of the host, as in https://storage.example:9000."
    )


def panic(doing: str, url: str) -> StorageError:
    """The error when the library itself failed; what it said may have a secret in it."""
    return StorageError(
        f"{doing} at {url} failed within the package obstore. Check the variables of the "
        f"environment that name its server, its region and its credentials."
    )


def no_credentials(url: str, or_else: str = "") -> StorageError:
    """The error when nothing says whose credentials to use."""
    return StorageError(f"{url} cannot be used: {_no_credentials(_family(url), or_else)}")


def _why(error: Exception, url: str) -> str:
    text = str(error)
    family = _family(url)
    status, code = _status(text), _code(text)
    if match := _SYSTEM.search(text) if family == "file" else None:
        number = int(match[1] or match[2])
        refusal = OSError(number, os.strerror(number))
        return f"{refusal_of(refusal)}. {remedy_of(refusal)}"
    answer = " ".join(filter(None, [str(status or ""), code]))
    if (
        _ROLE.search(text)
        or "MissingCredentials" in text
        or "NoCredentials" in type(error).__name__
    ):
        return _no_credentials(family)
    if code in _NO_BUCKET:
        return (
            f"there is no such bucket or container ({answer}). Correct the name in the URL, or "
            f"create it; this never does."
        )
    if code in _OTHER_REGION or _REDIRECT in text:
        return "the bucket is in another region. Set AWS_REGION in the environment to that one."
    if code == "RequestTimeTooSkewed":
        return f"the clock of this machine is wrong ({answer}). Set it, and run again."
    if code in _WRONG_KEYS or status == 401 or isinstance(error, exceptions.UnauthenticatedError):
        return (
            f"the storage does not accept the credentials ({answer}). Check "
            f"{_keys(family)} in the environment: they may be wrong, or have expired."
        )
    if status == 403 or isinstance(error, exceptions.PermissionDeniedError):
        return (
            f"the credentials do not allow it ({answer}). Ask whoever owns the bucket for the "
            f"right to list, read, write and delete below this URL."
        )
    if status == 412 or isinstance(error, exceptions.PreconditionError):
        return f"it was written anew meanwhile ({answer}). Run again."
    if code in _FULL or status == 507:
        return f"the storage is full, or a quota of it ({answer}). Free some room there."
    if "builder error" in text and "BadScheme" in text:
        return (
            "its endpoint is an http:// address, and these are not encrypted. Name an https:// "
            "one, or set AWS_ALLOW_HTTP=true where that is safe."
        )
    if status is not None and may_pass(error):
        return f"the storage does not work at the moment ({answer}). Run again when it does."
    if status is None and may_pass(error):
        return (
            f"no answer came, or just a part of one, for half a minute. Check the network"
            f"{_endpoint(family)}, and run again when the storage works."
        )
    said = f"the storage answered {answer}" if status is not None else _said(text)
    return f"{said}. If running again does not help, ask whoever runs the storage."


def _family(url: str) -> str:
    scheme = url.partition("://")[0]
    return _FAMILY.get(scheme, scheme)


def _keys(family: str) -> str:
    """The variables of the environment that say whose credentials to use."""
    return _KEYS.get(family, "the variables of this storage")


def _no_credentials(family: str, or_else: str = "") -> str:
    return (
        f"there are no credentials for it. Set {_keys(family)} in the environment"
        f"{'; or ' * bool(or_else)}{or_else}; or run where the machine has a role that may use it."
    )


def _endpoint(family: str) -> str:
    variable = {"s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ENDPOINT"}.get(family)
    is_set = variable is not None and variable in os.environ
    return f", and {variable} in the environment" if is_set else ""


def _said(text: str) -> str:
    """The first line of an error without secrets, and addresses, which may have a signature."""
    line = _ADDRESS.sub("the storage", one_line(text.partition("Debug source")[0]))
    return masked(cut(line, VALUE_CHARACTERS), of_environment(os.environ)).rstrip(". ")


def _status(text: str) -> int | None:
    match = _STATUS.search(text)
    return int(match[1]) if match else None


def _code(text: str) -> str:
    match = _CODE.search(text)
    return (match[1] or match[2]) if match else ""
