"""Which addresses of a subnet are free, and which one goes out next."""

from __future__ import annotations

from collections.abc import Iterable


class AddressSpace:
    """The provision range of one IPv4 network, as whole numbers.

    Addresses never given out go first, from the low end without gaps; then those given back, the longest
    free first, so that a neighbour's ARP entry has aged before its address comes again. What is taken is
    known from the nics, so nothing here needs storing.
    """

    def __init__(self, first: int, last: int, taken: Iterable[int] = ()) -> None:
        self._fresh = first
        self._first = first
        self._last = last
        self._taken = set(taken)
        self._freed: dict[int, None] = {}

    def take(self) -> int | None:
        """Give out the next address, or None when the range is full."""
        while self._fresh <= self._last:
            address = self._fresh
            self._fresh += 1
            if address not in self._taken:
                self._taken.add(address)
                return address
        for address in self._freed:
            self.claim(address)
            return address
        return None

    def claim(self, address: int) -> bool:
        """Take this very address, inside the range or not; False when it is taken."""
        if address in self._taken:
            return False
        self._taken.add(address)
        self._freed.pop(address, None)
        return True

    def give_back(self, address: int) -> None:
        self._taken.discard(address)
        if self._first <= address < self._fresh:
            self._freed[address] = None

    def __contains__(self, address: int) -> bool:
        return address in self._taken
