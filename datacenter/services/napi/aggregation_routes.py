"""NAPI's routes for bundles of servers' nics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from datacenter.restify import params, reply
from datacenter.services.napi import routes

if TYPE_CHECKING:
    from datacenter.services.napi.model import Napi


def add_routes(app: Flask, napi: Napi) -> None:
    bundles = napi.aggregations

    @app.get("/aggregations")
    def list_aggregations() -> Response:
        return reply(bundles.select(params()))

    @app.post("/aggregations")
    def create_aggregation() -> Response:
        return routes.tagged(bundles.create(params()))

    @app.get("/aggregations/<aggregation>")
    def get_aggregation(aggregation: str) -> Response:
        return routes.tagged(bundles.get(aggregation))

    @app.put("/aggregations/<aggregation>")
    def update_aggregation(aggregation: str) -> Response:
        known = bundles.get(aggregation)
        routes.check_version(known)
        return routes.tagged(bundles.update(known, params()))

    @app.delete("/aggregations/<aggregation>")
    def delete_aggregation(aggregation: str) -> Response:
        routes.check_version(bundles.get(aggregation))
        bundles.delete(aggregation)
        return reply(None, 204)
