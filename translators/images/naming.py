"""Tag: another name for an image."""

from __future__ import annotations

from gateway.call import Call
from gateway.errors import InvalidParameter
from translators.events.recorder import tell_image
from translators.images.lookup import find_image, parse_reference


def tag(call: Call, name: str, repo: str, new_tag: str) -> None:
    """Point ``repo:new_tag`` at an image, taking the name away from whatever had it.

    Docker: POST /images/{name}/tag   SDC: - (the gateway's own rows)
    """
    record = find_image(call, name)
    reference = parse_reference(repo)
    if reference.digest:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    try:
        reference = reference.with_tag(new_tag) if new_tag else reference.with_default_tag()
    except ValueError as error:
        raise InvalidParameter(str(error)) from error
    call.state.images.tag(record.owner_uuid, reference.local_name, reference.tag or "latest", record.config_digest)
    tell_image(call, record, "tag", name=str(reference))
