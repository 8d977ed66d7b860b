"""Messages for errors, Hydra's and OmegaConf's among them: one paragraph that says what was wrong and what to do."""

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from heatmark.common.errors import in_words

EXPECTED = (ValueError, OSError, HydraException, OmegaConfBaseException)
"""Errors that the user can mend; any other is a defect of the suite."""


def one_paragraph(error: BaseException) -> str:
    """Return the message of an error for a user, without a traceback."""
    if isinstance(error, MissingMandatoryValue):
        key = getattr(error, "full_key", None) or str(error).rpartition(" ")[2]
        return f"{key} has no value; give it as {key}=…"
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: {_tidy(error.message)}"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _tidy(str(error))
    return in_words(error)


def _tidy(message: str) -> str:
    noise = ("full_key:", "object_type", "reference_type", "See https://hydra.cc", "Config search path", "provider=")
    lines = (line.strip() for line in message.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(noise))
