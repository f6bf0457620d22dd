"""Everything that comes from outside: flags, the environment and `.env`. The only reader of the environment."""

import os
import stat
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobs.ledger import DOLLAR, Caps
from models.spec import Access

CHECKOUT = Path(__file__).parent.parent
DEFAULT_HOME = Path("~/.scenehf")
LOOPBACK = "127.0.0.1"
SHORTEST_PASSWORD = 8  # characters
OTHERS = 0o077  # the rights of everybody but the owner of a file
KEYS = (
    "REPLICATE_API_TOKEN",
    "FAL_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "OPENAI_API_KEY",
    "HF_TOKEN",
)


class BadSettings(Exception):
    """A setting cannot be used; the message is one sentence that names it."""


class Settings(BaseSettings):
    """Frozen. Precedence: flags, environment, `.env` of the data directory, `.env` of the checkout, defaults.

    data: the data directory. public: strangers can reach the app (a Space, a share link, or another address than this
    machine's own). Whoever the owner logs in, by `auth` ("name:password") or as author of the Space, is the owner.
    """

    model_config = SettingsConfigDict(
        env_prefix="SCENEHF_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    data: Path = Field(DEFAULT_HOME, alias="SCENEHF_HOME")
    port: int = Field(7860, ge=1, le=65535)
    host: str = Field(LOOPBACK, validation_alias=AliasChoices("SCENEHF_HOST", "GRADIO_SERVER_NAME"))
    names: Annotated[tuple[str, ...], NoDecode] = ()  # other names of this machine, with commas
    share: bool = False
    auth: SecretStr | None = None
    browser: bool = True
    space_id: str | None = Field(None, alias="SPACE_ID")
    space_host: str | None = Field(None, alias="SPACE_HOST")  # its names, with commas
    space_author: str | None = Field(None, alias="SPACE_AUTHOR_NAME")
    oauth_client: str | None = Field(None, alias="OAUTH_CLIENT_ID")
    zero_gpu: bool = Field(False, alias="SPACES_ZERO_GPU")
    # US dollars that one job, a day and a month may cost; nothing where strangers can reach the app and nobody says so
    cap_run: float = Field(1.0, ge=0)
    cap_day: float = Field(5.0, ge=0)
    cap_month: float = Field(50.0, ge=0)
    cap_compute: float = Field(2000.0, ge=0)  # megapixels times steps that one job may take of this machine
    keep_hours: float = Field(24.0, gt=0)  # strangers' jobs that nobody touches go after this long
    keep_gb: float = Field(10.0, gt=0)  # the oldest of them go when all take more
    archive: Path | None = None  # where finished jobs are also put as files: a bucket or a volume

    replicate_api_token: SecretStr | None = Field(None, alias="REPLICATE_API_TOKEN")
    fal_key: SecretStr | None = Field(None, alias="FAL_KEY")
    google_api_key: SecretStr | None = Field(None, alias="GOOGLE_API_KEY")
    google_application_credentials: Path | None = Field(None, alias="GOOGLE_APPLICATION_CREDENTIALS")
    gcp_project_id: str | None = Field(None, alias="GCP_PROJECT_ID")
    gcp_region: str | None = Field(None, alias="GCP_REGION")
    vertex_endpoint: str | None = Field(None, alias="VERTEX_ENDPOINT")
    openai_api_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(None, alias="OPENAI_BASE_URL")
    planner_provider: str | None = Field(None, alias="PLANNER_PROVIDER")
    planner_model: str | None = Field(None, alias="PLANNER_MODEL")
    addresses: dict[str, str] = {}  # other servers in the place of a service's own, by its name; JSON
    hf_token: SecretStr | None = Field(None, alias="HF_TOKEN")

    @property
    def public(self) -> bool:
        """Whether people other than the owner of this machine can reach the app."""
        return self.share or self.space_id is not None or not _is_own(self.host)

    @property
    def reached_as(self) -> tuple[str, ...]:
        """The names under which browsers may ask for the app, besides this machine's own."""
        spaces = [name.strip() for name in (self.space_host or "").split(",")]
        return tuple(name.lower() for name in (*self.names, *spaces) if name)

    def account(self) -> tuple[str, str] | None:
        """Name and password of the owner, where a login was asked for."""
        if self.auth is None:
            return None
        name, _, password = self.auth.get_secret_value().partition(":")
        return name, password

    @property
    def store(self) -> Path:
        """Database, assets and their temporary files; never served as a folder."""
        return self.data / "store"

    @property
    def weights(self) -> Path:
        """One folder per set of weights."""
        return self.data / "weights"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.data / "logs"

    @property
    def uploads(self) -> Path:
        """What the browser uploaded and what it may download; emptied by the app as it starts, never the only copy. A
        second app on the same data has its own, or it would empty that of the first."""
        return self.data / f"tmp-{self.port}"

    def keys_found(self) -> tuple[str, ...]:
        """The names of the keys that are set; never their values."""
        return tuple(name for name in KEYS if getattr(self, name.lower()) is not None)

    def caps(self) -> Caps:
        """The limits on spending."""
        return Caps(*(round(usd * DOLLAR) for usd in (self.cap_run, self.cap_day, self.cap_month)))

    def access(self) -> Access:
        """How remote services are reached with the owner's own keys."""
        return Access(
            replicate=self.replicate_api_token,
            fal=self.fal_key,
            google=self.google_api_key,
            google_account=self.google_application_credentials,
            google_project=self.gcp_project_id,
            google_region=self.gcp_region,
            vertex_endpoint=self.vertex_endpoint,
            openai=self.openai_api_key,
            openai_base_url=self.openai_base_url,
            planner=self.planner_model,
            addresses=self.addresses,
        )

    @field_validator("names", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("auth")
    @classmethod
    def _has_both(cls, value: SecretStr | None) -> SecretStr | None:
        name, _, password = (value.get_secret_value() if value else "owner:password").partition(":")
        if not name or len(password) < SHORTEST_PASSWORD:
            raise ValueError(f"write NAME:PASSWORD, the password of {SHORTEST_PASSWORD} characters or more")
        return value

    def model_post_init(self, context: Any, /) -> None:
        """`~` means the home of the person, and a relative path means the folder they stand in, from now on."""
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        if self.space_id is not None and "host" not in self.model_fields_set:
            object.__setattr__(self, "host", "0.0.0.0")  # noqa: S104 - a Space is reached from outside
        for cap in ("cap_run", "cap_day", "cap_month"):
            if self.public and cap not in self.model_fields_set:
                object.__setattr__(self, cap, 0.0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Find the data directory first: it holds the nearer `.env`."""
        checkout = DotEnvSettingsSource(settings_cls, env_file=CHECKOUT / ".env")
        flags = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        named = flags.get("SCENEHF_HOME") or os.environ.get("SCENEHF_HOME") or checkout().get("SCENEHF_HOME")
        data = Path(named or DEFAULT_HOME).expanduser()
        nearer = DotEnvSettingsSource(settings_cls, env_file=data / ".env")
        return init_settings, env_settings, nearer, checkout

    def prepare(self) -> Self:
        """Make the data directory (0700: pictures are private) and tell libraries and child processes of it, and
        everybody who reads the settings again of what the flags said."""
        try:
            for folder in (self.data, self.store, self.weights, self.logs, self.uploads):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for private in (self.data, self.data / ".env", CHECKOUT / ".env"):
                _close(private)
        except OSError as error:
            raise BadSettings(
                f"The data directory {self.data} cannot be used ({error.strerror}). Choose another with --data DIR."
            ) from error
        os.environ.update(
            SCENEHF_HOME=str(self.data),
            SCENEHF_SHARE=str(self.share),
            SCENEHF_HOST=self.host,
            GRADIO_TEMP_DIR=str(self.uploads),
            GRADIO_ANALYTICS_ENABLED="False",
            GRADIO_RUN_HISTORY="False",  # would keep every field, keys too, in the browser's storage
            **_past_proxies(),
        )
        return self


def load(**flags: Any) -> Settings:
    """Settings with `flags` above everything else, and their folders made.

    Raises BadSettings.
    """
    try:
        return Settings(**flags).prepare()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"The setting {name} cannot be used: {what}.") from None


def _past_proxies() -> dict[str, str]:
    """Names that no proxy is asked for: it cannot reach the servers of this machine, the app's own among them."""
    spellings = ("NO_PROXY", "no_proxy")
    known = {name: os.environ.get(name, "").split(",") for name in spellings}
    own = (LOOPBACK, "localhost")
    return {name: ",".join(dict.fromkeys(filter(None, [*known[name], *own]))) for name in spellings}


def _close(path: Path) -> None:
    """Take from everybody else the rights on a file or folder of ours. Where it is another person's, that is theirs."""
    if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & OTHERS:
        with suppress(PermissionError):
            path.chmod(mode & ~OTHERS)


def _is_own(host: str) -> bool:
    """Whether what listens there is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
