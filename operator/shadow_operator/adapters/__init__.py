"""Every call that leaves the process: the API server, comparators, layer probes, mirrors."""
