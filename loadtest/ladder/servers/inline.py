"""Nothing to do but to answer: what Tornado itself costs."""

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve


class Main(JobHandler):
    """Done as it is said."""

    def get(self) -> None:
        self.ledger.add(self.job_id)
        self.write(f"{self.job_id} done")


if __name__ == "__main__":
    told = options()
    serve([("/", Main, {"seconds": 0.0, "ledger": told.ledger})], bind(told.port))
