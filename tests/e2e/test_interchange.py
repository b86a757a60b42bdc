"""Containers that sdc-docker made are ours as well: the same payload, sent to VMAPI by somebody else."""

from __future__ import annotations

import secrets
import uuid

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker


def payload_of(running, docker, alias: str) -> dict:
    """What sdc-docker sends for ``docker run -d --name alias -l role=web -p 80 busybox sh -c ...``."""
    owner = running.http("mahi", "/accounts?login=alice")["account"]["uuid"]
    image = docker.inspect("busybox", "{{.Id}}")
    vm_uuid = str(uuid.uuid4())
    like = running.http("vmapi", f"/vms?docker=true&owner_uuid={owner}&state=active")[0]
    networks = running.http("napi", f"/networks?provisionable_by={owner}&name=My-Fabric-Network")
    return {
        "uuid": vm_uuid,
        "owner_uuid": owner,
        "alias": alias,
        "hostname": vm_uuid.replace("-", "")[:12],
        "docker": True,
        "autoboot": False,
        "restart_init": False,
        "tmpfs": 0,
        "firewall_enabled": True,
        "brand": "lx",
        "kernel_version": "3.13.0",
        "init_name": "/native/usr/vm/sbin/dockerinit",
        "image_uuid": like["image_uuid"],
        "billing_id": like["billing_id"],
        "zlog_max_size": 50_000_000,
        "networks": [{"uuid": networks[0]["uuid"], "primary": True}],
        "filesystems": [{"source": str(uuid.uuid4()), "target": "/data", "type": "lofs", "options": []}],
        "affinity": [{"key": "role", "operator": "!=", "value": "db", "isSoft": True, "valueType": "exact"}],
        "tags": {"sdc_docker": True, "docker:label:role": "web", "triton.cns.services": "web:80"},
        "internal_metadata": {
            "docker:id": vm_uuid.replace("-", "") + secrets.token_hex(16),
            "docker:cmd": '["sh","-c","echo made $WHO; trap \\"exit 4\\" TERM; while :; do sleep 0.1; done"]',
            "docker:entrypoint": "[]",
            "docker:env": '["PATH=/bin:/usr/bin","WHO=elsewhere"]',
            "docker:imageid": image,
            "docker:imagename": "busybox:latest",
            "docker:noipmgmtd": True,
            "docker:restartpolicy": "on-failure:3",
            "docker:logdriver": "json-file",
            "docker:logconfig": "{}",
            "docker:udp_unpublished_ports": "[53]",
            "docker:linkHosts": "",
            "docker:linkEnv": "[]",
        },
    }


def test_a_container_of_sdc_docker_is_driven_by_this_gateway(running, docker, container):
    container("busybox", "sleep", "600")  # whose image and package the other one shares
    payload = payload_of(running, docker, "elsewhere")
    running.http("vmapi", "/vms?sync=true", "POST", payload)
    made = payload["internal_metadata"]["docker:id"]
    try:
        wait_for(lambda: docker.ok("ps", "-aq", "--no-trunc", "-f", "label=role=web", "-f", "status=created") == made)
        docker.ok("start", "elsewhere")
        assert docker.inspect(
            made[:12], "{{.Name}} {{.State.Status}} {{.Config.Image}} {{.HostConfig.RestartPolicy.Name}}"
        ) == ("/elsewhere running busybox:latest on-failure")
        assert docker.inspect("elsewhere", '{{index .Config.Labels "triton.cns.services"}}') == "web:80"
        wait_for(lambda: docker.ok("logs", "elsewhere") == "made elsewhere")
        assert docker.ok("exec", "elsewhere", "sh", "-c", "touch /data/x && hostname") == payload["hostname"]
        docker.ok("stop", "elsewhere")
        assert docker.inspect("elsewhere", "{{.State.Status}} {{.State.ExitCode}}") == "exited 4"
    finally:
        docker("rm", "-f", "elsewhere")
    assert docker.ok("ps", "-aq", "-f", "name=elsewhere") == ""


def test_a_container_of_ours_has_what_sdc_docker_reads(running, docker, container):
    made = container("--name", "ours", "-l", "role=web", "-e", "A=1", "-p", "80", "busybox", "sleep", "600")
    vm = running.http("vmapi", f"/vms/{uuid.UUID(made[:32])}")
    metadata = vm["internal_metadata"]
    assert (vm["alias"], vm["docker"], vm["brand"], vm["kernel_version"]) == ("ours", True, "lx", "3.13.0")
    assert (vm["tags"]["sdc_docker"], vm["tags"]["docker:label:role"]) == (True, "web")
    assert (metadata["docker:id"], metadata["docker:cmd"]) == (made, '["sleep","600"]')
    assert '"A=1"' in metadata["docker:env"]
    assert metadata["docker:imagename"] == "busybox"
