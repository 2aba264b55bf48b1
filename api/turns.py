"""An event loop whose turns are short, however many sockets have something to say."""

import asyncio
import select
import selectors
import sys

from tornado import netutil

EVENTS_A_TURN = 64  # some 0.3 ms each; asyncio takes as many as there are: 5,000 requests at once would be one turn of two seconds

ACCEPTED_A_TURN = 16  # connections


if sys.platform == "linux":

    class _Epoll:
        """select.epoll, which cannot be inherited from, with fewer events at once. The kernel goes round: those left come first then."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.register, self.modify, self.unregister = self._epoll.register, self._epoll.modify, self._epoll.unregister
            self.fileno, self.close = self._epoll.fileno, self._epoll.close

        def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
            return self._epoll.poll(timeout, EVENTS_A_TURN)

    class _Selector(selectors.EpollSelector):
        _selector_cls = _Epoll

else:
    _Selector = selectors.DefaultSelector  # for a developer's machine: turns are as long as asyncio makes them


def new_loop() -> asyncio.AbstractEventLoop:
    """For asyncio.Runner."""
    netutil._DEFAULT_BACKLOG = ACCEPTED_A_TURN  # what Tornado accepts at once (accept_handler): 128
    return asyncio.SelectorEventLoop(_Selector())
