"""What a text is made of."""


def is_unicode(text: str) -> bool:
    """Whether every store, pipe and file takes a text: JSON and names of files hold halves, too."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
