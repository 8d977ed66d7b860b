"""Durations as people read them."""


def duration(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    >>> duration(83.4), duration(7325), duration(0.4)
    ('1:23', '2:02:05', '0:00')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
