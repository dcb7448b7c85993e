"""What survives a server: snapshots and logs."""
