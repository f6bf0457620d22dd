"""Planners: every file is one way to read a picture and propose steps."""
