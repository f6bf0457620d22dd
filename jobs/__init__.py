"""Work that survives a crash: a durable store of jobs, the runner that executes them, the host process."""
