"""One function per job kind."""
