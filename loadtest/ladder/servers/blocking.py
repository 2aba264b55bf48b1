"""The work in the handler: the one loop stands still for as long as it takes, and every other request with it."""

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve
from loadtest.ladder.servers.work import piece


class Main(JobHandler):
    """One job at a time, whoever waits."""

    def get(self) -> None:
        piece(self.seconds, self.ledger.path, self.job_id)
        self.write(f"{self.job_id} done")


if __name__ == "__main__":
    told = options()
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger})], bind(told.port))
