"""SceneHF: a flat picture taken apart into layers and a clean plate."""

VERSION = "0.1.0"
