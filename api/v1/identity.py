"""Identity: who is who, what people decided about it, and how well it goes."""

from __future__ import annotations

from fastapi import APIRouter

from api.v1 import identity_figures, identity_persons, identity_relations, identity_reviews

router = APIRouter(prefix="/identity", tags=["identity"])
for part in (identity_reviews, identity_persons, identity_relations, identity_figures):
    router.include_router(part.router)
