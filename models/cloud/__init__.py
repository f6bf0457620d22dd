"""Models that a remote service runs, one file each. Their `load(host)` needs the service's key in `host.access`."""
