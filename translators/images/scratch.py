"""The image that FROM scratch means: one layer of nothing, the data center's own. Facts: docker-on-triton 7.12.2."""

from __future__ import annotations

import hashlib
import io

from gateway.call import Call
from grammars.dockerids import layer_uuid
from translators.images.layers import BroughtLayer, store_layer
from translators.images.spool import Pieces
from translators.platforms import ARCHITECTURE

_NOTHING = bytes(1024)
_DIGEST = f"sha256:{hashlib.sha256(_NOTHING).hexdigest()}"
SCRATCH_UUID = layer_uuid([_DIGEST])


def ensure_scratch(call: Call) -> str:
    """Have the scratch image in IMGAPI; return its uuid. Nobody's image is made of it, so nothing deletes it.

    SDC: IMGAPI POST /images/:uuid?action=import, PUT /images/:uuid/file, POST /images/:uuid?action=activate
    """
    pieces = Pieces(io.BytesIO(_NOTHING), 0, len(_NOTHING))
    layer = BroughtLayer(digest=_DIGEST, diff_id=_DIGEST, compression="none", pieces=pieces)
    document = {"architecture": ARCHITECTURE, "os": "linux", "comment": "the scratch image"}
    store_layer(call, SCRATCH_UUID, None, layer, document)
    return SCRATCH_UUID
