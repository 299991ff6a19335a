"""One HTTP client: pages, ranged reads, parallel requests, limits."""
