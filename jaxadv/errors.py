"""The one exception that means "the input is at fault, not the program"."""


class UserError(ValueError):
    """Bad input. The message is one line that names the value at fault and the remedy.

    Library calls raise it; the experiment scripts print it and exit with status 2.
    """
