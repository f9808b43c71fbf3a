"""Whether a text is valid Unicode."""


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: what JSON and file names give may hold surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
