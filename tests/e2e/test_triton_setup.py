"""`triton profile docker-setup`, unchanged, and then docker with the certificate that it made."""

from __future__ import annotations

import json
import subprocess

import pytest

from gateway.local.instance import ROOT
from tests.contract.npm.conftest import modules  # noqa: F401 - a fixture
from tests.contract.npm.test_triton import Triton
from tests.e2e.conftest import Docker

pytestmark = [pytest.mark.docker, pytest.mark.npm]


def test_docker_with_a_certificate_that_triton_made(running, modules, tmp_path) -> None:  # noqa: F811
    key = tmp_path / ".ssh" / "id_rsa"
    key.parent.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    given = {"login": "tilda", "ssh_public_key": key.with_suffix(".pub").read_text(), "key_name": "laptop"}
    account = running.http("mahi", "/embedded/accounts", "POST", given)
    triton = Triton(tmp_path, modules, running.instance.url("cloudapi"), "tilda", account["key_names"]["laptop"])
    (tmp_path / "profile.json").write_text(json.dumps(triton.profile))
    triton("profile", "create", "-f", str(tmp_path / "profile.json"), "--no-docker", "--yes")
    triton("profile", "docker-setup", "--yes", "emb")
    (made,) = (tmp_path / ".triton" / "docker").iterdir()
    assert {"ca.pem", "cert.pem", "key.pem", "setup.json"} <= {path.name for path in made.iterdir()}
    docker = Docker(running.instance.docker_url, made)
    archive = tmp_path / "busybox.tar"
    subprocess.run(["sh", str(ROOT / "tools/busybox-image.sh"), str(archive)], check=True)
    docker.ok("import", str(archive), "busybox")
    name = docker.ok("create", "--name", "by-triton", "busybox", "true")
    assert docker.ok("ps", "-a", "--format", "{{.Names}}") == "by-triton"
    assert [instance["name"] for instance in triton.listed("instances")] == ["by-triton"]
    docker.ok("rm", name)
    assert triton.listed("instances") == []
