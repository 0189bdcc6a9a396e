"""The one exception that means "the input is at fault, not the program"."""

import re


class UserError(ValueError):
    """Bad input. The message is one line that names the value at fault and the remedy.

    Library calls raise it; the experiment scripts print it and exit with status 2.
    """

    def __init__(self, message: str = "") -> None:
        """message: arrays that it names may have several lines; it has one."""
        super().__init__(re.sub(r"\s*\n\s*", " ", str(message)))
