"""From keys to providers. Which key a service needs, and where to get it, is said here and nowhere else."""

from dataclasses import dataclass

from models.errors import KeyMissing
from models.providers.remote import Provider
from models.spec import Access, Where, title_of


@dataclass(frozen=True)
class Service:
    """A remote service. variable: the setting that holds its key; page: where keys are made. entered: whether a
    visitor can enter one; what takes a file of this machine, they cannot."""

    id: Where
    variable: str
    page: str
    entered: bool = True

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return title_of(self.id)


SERVICES: dict[Where, Service] = {
    service.id: service
    for service in (
        Service("google", "GOOGLE_API_KEY", "https://aistudio.google.com/apikey"),
        Service("fal", "FAL_KEY", "https://fal.ai/dashboard/keys"),
        Service("openai", "OPENAI_API_KEY", "https://platform.openai.com/api-keys"),
        Service("replicate", "REPLICATE_API_TOKEN", "https://replicate.com/account/api-tokens"),
        Service(
            "vertex",
            "VERTEX_ENDPOINT and GOOGLE_APPLICATION_CREDENTIALS",
            "https://console.cloud.google.com/vertex-ai/online-prediction/endpoints",
            entered=False,
        ),
    )
}


def has_access(service: Where, access: Access) -> bool:
    """Whether there is a key, or another way in, for the service."""
    if service == "google":
        return access.google is not None or (
            access.google_account is not None and bool(access.google_project)
        )
    if service == "openai":
        return access.openai is not None or access.openai_base_url is not None
    if service == "vertex":
        return access.vertex_endpoint is not None and access.google_account is not None
    return getattr(access, service) is not None


def missing(service: Where) -> KeyMissing:
    """What is said where there is no key."""
    known = SERVICES[service]
    place = "in the environment or in .env"
    if not known.entered:
        hint = f"Set {known.variable} {place}; you see your endpoints at {known.page}."
        return KeyMissing(f"{known.title} needs an endpoint of your own.", provider=service, hint=hint)
    hint = f"Get a key at {known.page} and set {known.variable} {place}, or enter it here."
    return KeyMissing(f"{known.title} needs a key.", provider=service, hint=hint)


def connect(service: Where, access: Access) -> Provider:
    """The provider of a service; loads its SDK. Raises KeyMissing."""
    if not has_access(service, access):
        raise missing(service)
    address = access.addresses.get(service)
    if service == "replicate" and access.replicate:
        from models.providers.replicate import API, Replicate

        return Replicate(access.replicate, base_url=address or API)
    if service == "fal" and access.fal:
        from models.providers.fal import QUEUE, Fal

        return Fal(access.fal, base_url=address or QUEUE)
    if service == "google":
        from models.providers.google import Google

        account = access.google_account if access.google is None else None
        return Google(
            access.google,
            credentials=account,
            project=access.google_project,
            region=access.google_region,
            base_url=address,
        )
    if service == "vertex" and access.vertex_endpoint and access.google_account:
        from models.providers.vertex import Vertex

        return Vertex(access.google_account, access.vertex_endpoint, base_url=address)
    from models.providers.openai import OpenAI

    return OpenAI(access.openai, base_url=access.openai_base_url or address)
