"""What can go wrong with a person's picture or scene; every message is a clear sentence that says what to do."""


class SceneError(Exception):
    """Base of the failures that are told to the person as they are."""


class BadPicture(SceneError):
    """The file given is not a picture that can be read, or is too large."""


class CannotExport(SceneError):
    """The scene does not fit the chosen file format."""


class NotPossible(SceneError):
    """What was asked for does not fit the state that the job is in."""
