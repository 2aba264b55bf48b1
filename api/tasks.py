"""The task catalogue as this replica knows it."""

import asyncio

from api.orders import Offer
from api.plain import Pipe, Plain
from millpond import keys
from millpond.catalogue import Entry, entries_from_hash
from millpond.errors import NotDone, Unavailable

REFRESH_S = 2.0  # how late a changed task is noticed
_EAGER_S = 0.2  # how often an unknown task may make us look at once: a deploy's new task is known to the first who asks for it


class NoCatalogue(Unavailable):
    """No worker has ever told its tasks to this Redis."""

    code = "no_catalogue"


class Catalogue:
    """The entries that workers published, kept up to date while the loop runs."""

    def __init__(self, plain: Plain) -> None:
        self._plain = plain
        self._offers: dict[str, Offer] = {}
        self._digest: bytes | None = None
        self._looked = 0.0
        self._refusal = ""  # of the last look; empty: it saw the tasks
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the catalogue."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Stop following."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def find(self, name: str) -> Offer | None:
        """A task as last seen; None: unknown."""
        return self._offers.get(name)

    async def learn(self, name: str | None) -> None:
        """Look again if a task is not known. Raises NoCatalogue where no task is, NotDone if Redis cannot be asked."""
        if name not in self._offers:
            await self._look_again()
            if not self._offers:
                raise NoCatalogue("No worker has published its tasks yet.")

    async def entries(self) -> list[Entry]:
        """All tasks by name, as they are now. Raises NotDone."""
        await self._look_again()
        return self.known()

    def known(self) -> list[Entry]:
        """All tasks by name, as last seen."""
        return [self._offers[name].entry for name in sorted(self._offers)]

    async def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._turn:
            if self._refusal and self._looked >= asked:
                raise NotDone(self._refusal)  # while we waited for our turn, somebody looked for us
            if not self._offers or loop.time() - self._looked >= _EAGER_S:
                await self._look()

    async def _look(self) -> None:
        try:
            await self._read()
            self._refusal = ""
        except NotDone as error:
            self._refusal = error.detail
            raise
        finally:
            self._looked = asyncio.get_running_loop().time()

    async def _follow(self) -> None:
        while True:
            try:
                (digest,) = await self._plain.read(lambda pipe: pipe.get(keys.CATALOGUE_DIGEST))
                if digest != self._digest:
                    async with self._turn:
                        await self._read()
            except NotDone:
                pass  # what we know still holds: tasks change with deploys, not with outages
            await asyncio.sleep(REFRESH_S)

    async def _read(self) -> None:
        def ask(pipe: Pipe) -> None:
            pipe.get(keys.CATALOGUE_DIGEST)
            pipe.hgetall(keys.CATALOGUE)

        digest, raw = await self._plain.read(ask, transaction=True)
        if isinstance(raw, dict):
            self._digest, self._offers = digest, {name: Offer(entry) for name, entry in entries_from_hash(raw).items()}
