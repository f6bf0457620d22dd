"""Everything that comes from outside: flags, the environment and `.env`. The only reader of the environment."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobs.ledger import DOLLAR, Caps
from models.spec import Access

CHECKOUT = Path(__file__).parent.parent
DEFAULT_HOME = Path("~/.scenehf")
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

    data: the data directory. public: strangers can reach the app (a Space, or a share link).
    """

    model_config = SettingsConfigDict(
        env_prefix="SCENEHF_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    data: Path = Field(DEFAULT_HOME, alias="SCENEHF_HOME")
    port: int = Field(7860, ge=1, le=65535)
    share: bool = False
    browser: bool = True
    space_id: str | None = Field(None, alias="SPACE_ID")
    cap_run: float = Field(1.0, ge=0)  # US dollars that one job, a day and a month may cost
    cap_day: float = Field(5.0, ge=0)
    cap_month: float = Field(50.0, ge=0)
    cap_compute: float = Field(2000.0, ge=0)  # megapixels times steps that one job may take of this machine

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
        return self.share or self.space_id is not None

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
        """What the browser uploaded and what it may download; emptied by the app, never the only copy."""
        return self.data / "tmp"

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

    def model_post_init(self, context: Any, /) -> None:
        """`~` means the home of the person, and a relative path means the folder they stand in, from now on."""
        object.__setattr__(self, "data", self.data.expanduser().absolute())

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
        """Make the data directory (0700: pictures are private) and tell libraries and child processes of it."""
        try:
            for folder in (self.data, self.store, self.weights, self.logs, self.uploads):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(
                f"The data directory {self.data} cannot be used ({error.strerror}). Choose another with --data DIR."
            ) from error
        os.environ.update(
            SCENEHF_HOME=str(self.data),
            GRADIO_TEMP_DIR=str(self.uploads),
            GRADIO_ANALYTICS_ENABLED="False",
            GRADIO_RUN_HISTORY="False",  # would keep every field, keys too, in the browser's storage
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
        raise BadSettings(f"The setting {name} cannot be used: {first['msg']}.") from None
