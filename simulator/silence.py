"""When an EMS hears and says nothing."""

from collections.abc import Generator
from contextlib import contextmanager


class Silence:
    """True while something keeps the EMS silent."""

    def __init__(self) -> None:
        """Begin with nothing that does."""
        self._kept_by = 0

    def __bool__(self) -> bool:
        """Whether the EMS is silent."""
        return self._kept_by > 0

    @contextmanager
    def kept(self) -> Generator[None]:
        """Keep the EMS silent for the time of a block."""
        self._kept_by += 1
        try:
            yield
        finally:
            self._kept_by -= 1
