"""A layer that came to nothing is dropped, also when IMGAPI is away at that moment."""

from __future__ import annotations

import gevent
import pytest

from datacenter.node.build import storing
from datacenter.node.build.storing import LayerStore
from datacenter.node.service import ServiceError


class FakeImgapi:
    """Away for some calls, then there with one image that was not finished."""

    def __init__(self, away: int, refusal: int | None = None) -> None:
        self.away, self.refusal, self.calls = away, refusal, []

    def __call__(self, url: str) -> FakeImgapi:
        return self

    def call(self, method: str, path: str) -> dict[str, str]:
        if self.away:
            self.away -= 1
            raise ConnectionRefusedError
        self.calls.append(method)
        if method == "DELETE" and self.refusal:
            raise ServiceError(self.refusal, "no")
        return {"state": "unactivated"}

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize("away", [0, 1, 3])
@pytest.mark.parametrize("refusal", [None, 422])
def test_it_is_dropped_once_imgapi_is_there(monkeypatch, away, refusal):
    imgapi = FakeImgapi(away, refusal)
    monkeypatch.setattr(storing, "Service", imgapi)
    monkeypatch.setattr(storing, "DROP_PAUSE", 0.001)
    LayerStore("http://imgapi").drop("layer", only_unfinished=True)
    with gevent.Timeout(5):
        while "DELETE" not in imgapi.calls:
            gevent.sleep(0.001)
    gevent.sleep(0.01)
    assert imgapi.calls == ["GET", "DELETE"]


class DiesAtImport(FakeImgapi):
    """IMGAPI that is killed when it has written the placeholder down and before it says so."""

    def __init__(self) -> None:
        super().__init__(away=0)
        self.there = False

    def call(self, method: str, path: str, *_: object) -> dict[str, str]:
        if "action=import" in path:
            self.there = True
            raise ConnectionResetError
        if method == "GET" and not self.there:
            raise ServiceError(404, "no such image")
        return super().call(method, path)


def test_a_placeholder_whose_answer_was_lost_is_dropped(monkeypatch):
    imgapi = DiesAtImport()
    monkeypatch.setattr(storing, "Service", imgapi)
    layer = storing.Layer("sha256:" + "1" * 64, 1)
    model = {"layers": [{"digest": layer.digest, "size": 1}], "image": {}}
    monkeypatch.setattr(storing, "layers_of", lambda told: told["layers"])
    with pytest.raises(storing.BuildError):
        LayerStore("http://imgapi").put(model, layer, None)
    assert imgapi.calls == ["GET", "DELETE"]
