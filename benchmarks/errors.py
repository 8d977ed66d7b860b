"""From an exception to words."""


def in_words(error: BaseException) -> str:
    """Return what a person needs to know of an error, without a traceback.

    A ``ValueError`` is a sentence already; of what the system refused, the file is named; any other error is a defect,
    and its type is told.
    """
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror or type(error).__name__}: {error.filename}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
