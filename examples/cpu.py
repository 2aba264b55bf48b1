"""A CPU-bound job: threads of one process share one core for it, so give it processes or more replicas."""

from millpond import task


@task(timeout_s=300)
def primes(below: int) -> dict[str, int | None]:
    """Count the primes below a number, by the sieve of Eratosthenes; a byte of memory for each number."""
    sieve = bytearray([1]) * max(below, 0)
    sieve[:2] = bytes(len(sieve[:2]))
    for factor in range(2, int(len(sieve) ** 0.5) + 1):
        if sieve[factor]:
            sieve[factor * factor :: factor] = bytes(len(range(factor * factor, len(sieve), factor)))
    largest = sieve.rfind(1)
    return {"count": sum(sieve), "largest": largest if largest >= 0 else None}
