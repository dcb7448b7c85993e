"""A worker process: one engine, its connections, its background work."""
