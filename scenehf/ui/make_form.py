"""What the Edit / Generate tab offers: every model with its controls, price and limits, what it lacks, and prompts to
begin with."""

from dataclasses import asdict
from typing import Any

from jobs.store import Store
from models.requests import ImageEdit, TextToImage
from models.spec import Access, ModelSpec
from scenehf.settings import Settings
from scenehf.studio.controls import controls
from scenehf.studio.templates import TEMPLATES
from scenehf.ui.choices import goes, needs, spending
from scenehf.ui.visitors import Visitor
from scenehf.workflows.make import MAKERS, MOST, lacking
from scenehf.workflows.quote import usd_each

Json = dict[str, Any]


def offered(store: Store, settings: Settings, access: Access, visitor: Visitor) -> Json:
    """Models in the order of the catalog; to all but the owner those that they can use, if need be with a key. usual:
    the first that can be used as it is. spent: None but for the owner."""
    models = [_model(spec, settings, access, visitor) for spec in MAKERS.values()]
    if not visitor.owner:
        models = [model for model in models if not model["lacks"] or (model["needs"] and visitor.enters_keys)]
    return {
        "models": models,
        "usual": next((model["id"] for model in models if not model["lacks"]), models[0]["id"]),
        "templates": [asdict(template) for template in TEMPLATES],
        "most": MOST,
        "spent": spending(store) | {"day": settings.cap_day} if visitor.owner else None,
    }


def _model(spec: ModelSpec, settings: Settings, access: Access, visitor: Visitor) -> Json:
    """One model. lacks: the sentence that says what to do first; needs: the service whose key is missing; goes: who
    gets to see the pictures; memory: MB."""
    return {
        "id": spec.id,
        "title": spec.title,
        "group": _group(spec),
        "local": spec.where == "local",
        "licence": spec.licence,
        "url": spec.url,
        "terms": spec.terms,
        "memory": spec.memory,
        "usd": usd_each(spec),
        "lacks": lacking(spec, settings.weights, access),
        "needs": needs(spec.where, access, visitor),
        "goes": goes(spec.where, access),
        "size": spec.size,
        "images": spec.images,
        "mask": spec.mask,
        "prompt": spec.limits.prompt,
        "controls": [asdict(control) for control in controls(spec.options)],
    }


def _group(spec: ModelSpec) -> str:
    if {TextToImage, ImageEdit} <= set(spec.tasks):
        return "Edit and generate"
    return "Edit" if ImageEdit in spec.tasks else "Generate"
