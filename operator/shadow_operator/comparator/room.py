"""Bounds shared by everything that grows: memory of pairs under way, size of the snapshot."""

from typing import Final

SNAPSHOT_BYTES: Final = 640 << 10
"""What names, signatures and histogram bins of all routes may take in the snapshot together.
With the fixed part of at most 200 routes the snapshot stays under 1 MiB."""


class Room:
    """An amount that can run out."""

    __slots__ = ("free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size

    def take(self, amount: int) -> bool:
        """Take so much if it is there, and say whether it was."""
        if amount > self.free:
            return False
        self.free -= amount
        return True

    def give(self, amount: int) -> None:
        """Give back what was taken."""
        self.free += amount
