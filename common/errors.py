"""What a person is told of an error: one paragraph, without a traceback."""


def in_words(error: BaseException) -> str:
    """Return the message of a ``ValueError``, the file of an ``OSError``, and of any other its class too.

    >>> in_words(ValueError("layer is 'lasst', expected last"))
    "layer is 'lasst', expected last"
    >>> in_words(KeyError("a"))
    "KeyError: 'a'"
    """
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror or type(error).__name__}: {error.filename}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
