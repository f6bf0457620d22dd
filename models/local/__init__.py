"""Local models: every file or folder is one."""
