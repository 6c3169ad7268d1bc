"""The service over HTTP: documents in, questions, jobs with their events, answers out."""

from __future__ import annotations

from darkstats.service.api.application import create_app

__all__ = ["create_app"]
