"""The one exception that means "the input is at fault, not the program", and safe words for it."""

__all__ = ["UserError"]


def printable(text: object) -> str:
    r"""Text for a terminal, on one line: what it might obey is written out, an escape as `\x1b`.

    Names of files and in files are anybody's. Line breaks become spaces; other control characters,
    those that turn the direction of writing, and undecodable bytes are written as Python does.
    """
    line = " ".join(part for each in str(text).splitlines() if (part := each.strip()))
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in line
    )


class UserError(ValueError):
    """Bad input. The message is one line that names the value at fault and the remedy.

    Library calls raise it; the experiment scripts print it and exit with status 2. The message may
    quote what files and arrays hold, so control characters in it are written out as escapes.

    >>> from jaxadv import attacks, errors
    >>> try:
    ...     attacks.ball("l1")
    ... except errors.UserError as error:
    ...     print(error)
    ball 'l1': choose one of ['l2', 'linf']
    """

    def __init__(self, message: str = "") -> None:
        """message: may have several lines, as arrays that it names have."""
        super().__init__(printable(message))
