"""Projects of docker compose, as people work with them: up, look around, change something, down, nothing left."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.e2e.conftest import wait_for

pytestmark = pytest.mark.docker

SHOP = """
services:
  db:
    image: busybox
    command: sh -c 'trap "exit 0" TERM; echo "$$GREETING" > /data/index.html; httpd -f -p 5432 -h /data & wait'
    environment: {GREETING: "hello from ${WHO:-db}"}
    volumes: ["data:/data"]
    networks: {back: {aliases: [database]}}
    healthcheck: {test: [CMD, wget, -qO-, "http://127.0.0.1:5432/"], interval: 300ms, retries: 50}
    restart: unless-stopped
  web:
    image: busybox
    command: sh -c 'trap "exit 0" TERM; wget -qO- http://database:5432/; touch /index.html; httpd -f -p 80 & wait'
    depends_on: {db: {condition: service_healthy}}
    ports: ["80"]
    networks: [back, front]
    restart: on-failure:3
    labels: {role: web}
  tool:
    image: busybox
    profiles: [debug]
    command: wget -qO- http://db.cs-shop_back:5432/
    networks: [back]
volumes: {data: {}}
networks: {back: {}, front: {}}
"""

BUILT = """
services:
  app:
    build: {context: ., args: {WHO: me}}
    tmpfs: [/scratch]
    configs: [{source: settings, target: /etc/app.conf}]
    secrets: [secret]
    init: true
    cap_add: [NET_ADMIN]
    ulimits: {nofile: 1024}
    sysctls: {net.ipv4.ip_forward: "1"}
    extra_hosts: ["elsewhere:192.0.2.4"]
    hostname: apphost
    mem_limit: 128m
    volumes: [/own]
    networks: {fixed: {ipv4_address: 10.77.5.20}}
    stop_grace_period: 0s
  beside:
    image: busybox
    command: sh -c 'hostname; exec sleep 600'
    network_mode: service:app
    volumes_from: [app]
    depends_on: [app]
    stop_grace_period: 0s
  bare:
    build: {context: ., dockerfile: Dockerfile.bare}
    command: [/busybox, echo, from nothing]
    network_mode: none
configs: {settings: {content: "a=1"}}
secrets: {secret: {environment: CS_SECRET}}
networks: {fixed: {ipam: {config: [{subnet: 10.77.5.0/24}]}}}
"""

DOCKERFILE = """
FROM busybox
ARG WHO
RUN echo built for $WHO > /who
CMD ["sh", "-c", "cat /who; exec sleep 600"]
"""


class Project:
    """A compose file in a folder, and ``docker compose`` on it. ``environ`` is what its environment has beside."""

    def __init__(self, docker, folder, name, text):
        self.docker, self.name, self.file = docker, name, folder / "compose.yaml"
        self.file.write_text(text)
        self.environ = {"DOCKER_BUILDKIT": "0"}

    def __call__(self, *args):
        """What was printed; insists on exit code 0."""
        done = self.run(*args)
        assert done.returncode == 0, f"{args}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def run(self, *args):
        argv, environ = self._started(args)
        return subprocess.run(
            argv, env=environ, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )

    def start(self, *args, **popen):
        argv, environ = self._started(args)
        return subprocess.Popen(argv, env=environ, **popen)

    def _started(self, args):
        argv = [self.docker.binary, "compose", "-p", self.name, "-f", str(self.file), *args]
        return argv, {**self.docker.environ, **self.environ}

    def logs(self, service):
        """What a service has written; some versions of compose clear the line before each of its lines."""
        return self("logs", "--no-color", "--no-log-prefix", service).replace("\x1b[2K", "")

    def states(self):
        """Each container's name, and its state with its health."""
        lines = self("ps", "-a", "--format", "json").splitlines()
        told = [json.loads(line) for line in lines]
        return {one["Name"].removeprefix(f"{self.name}-"): f"{one['State']} {one['Health']}".strip() for one in told}

    def left(self):
        """The names of everything that the project has on the data center."""
        label = ("--filter", f"label=com.docker.compose.project={self.name}")
        ask = (
            ("ps", "-a", "--format", "{{.Names}}"),
            ("network", "ls", "--format", "{{.Name}}"),
            ("volume", "ls", "-q"),
        )
        return [name for args in ask for name in self.docker.ok(*args, *label).split()]


@pytest.fixture
def project(docker, tmp_path):
    """Make projects; they are gone after the test."""
    if docker("compose", "version").returncode:
        pytest.skip("docker compose is not installed")
    made = []

    def make(name, text):
        made.append(Project(docker, tmp_path, name, text))
        return made[-1]

    yield make
    for each in made:
        each.run("--profile", "*", "down", "-v", "-t", "0", "--remove-orphans", "--rmi", "local")


def test_a_day_with_a_project(docker, project, tmp_path):
    shop = project("cs-shop", SHOP)
    shop("config", "-q")
    shop("up", "-d", "--wait")
    assert shop.states() == {"db-1": "running healthy", "web-1": "running"}
    assert shop.left() == ["cs-shop-web-1", "cs-shop-db-1", "cs-shop_back", "cs-shop_front", "cs-shop_data"]
    assert shop.logs("web") == "hello from db"
    address, _, port = shop("port", "web", "80").partition(":")
    assert (address, port) == (
        docker.inspect("cs-shop-web-1", "{{.NetworkSettings.Networks.external.IPAddress}}"),
        "80",
    )
    assert docker.inspect("cs-shop-web-1", "{{.HostConfig.RestartPolicy}}") == "{on-failure 3}"
    assert "httpd -f -p 80" in shop("top", "web")
    assert shop("exec", "-T", "db", "cat", "/data/index.html") == "hello from db"
    assert shop("run", "--rm", "-T", "web", "wget", "-qO-", "http://cs-shop-db-1:5432/") == "hello from db"
    assert shop("run", "--rm", "-T", "tool") == "hello from db"
    assert shop("up", "-d", "--wait") == ""
    seen = tmp_path / "events"

    def noticed():
        """Compose does not say when it has begun to listen."""
        shop("pause", "web")
        assert shop.states()["web-1"] == "paused"
        shop("unpause", "web")
        return "unpause" in seen.read_text()

    with seen.open("w") as out:
        watching = shop.start("events", "--json", "web", stdout=out)
    try:
        wait_for(noticed)
    finally:
        watching.terminate()
        watching.wait()
    event = json.loads(seen.read_text().splitlines()[-1])
    assert (event["type"], event["service"], event["attributes"]["role"]) == ("container", "web", "web")

    shop("stop", "web")
    assert shop.states()["web-1"] == "exited"
    shop("start", "web")
    shop("restart", "db")
    shop("up", "-d", "--wait", "--scale", "web=3")
    assert set(shop.states().values()) == {"running", "running healthy"}
    assert len(shop("ps", "-q", "web").split()) == 3
    shop("up", "-d", "--wait")
    assert sorted(shop.states()) == ["db-1", "web-1"]

    before = shop("ps", "-q", "db")
    shop.environ["WHO"] = "another"
    shop("up", "-d", "--wait")
    assert shop("ps", "-q", "db") != before
    assert shop("exec", "-T", "web", "wget", "-qO-", "http://database:5432/") == "hello from another"
    shop("kill", "db")
    assert shop.states()["db-1"] == "exited"

    shop("down")
    assert shop.left() == ["cs-shop_data"]
    shop("run", "--rm", "-T", "--no-deps", "db", "touch", "/data/kept")
    shop("down", "-v")
    assert shop.left() == []


def test_a_project_that_builds_its_images(docker, project, tmp_path):
    built = project("cs-built", BUILT)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "Dockerfile.bare").write_text("FROM scratch\nCOPY busybox /busybox\n")
    shutil.copy(shutil.which("busybox"), tmp_path / "busybox")
    built.environ["CS_SECRET"] = "s3cret"
    built("build")
    built("up", "-d", "--build", "app", "beside")
    assert built("run", "--rm", "-T", "bare") == "from nothing"
    assert built.logs("app") == "built for me"
    assert built.logs("beside") == "apphost"
    assert built("exec", "-T", "app", "cat", "/etc/app.conf", "/run/secrets/secret") == "a=1s3cret"
    assert "10.77.5.20/24" in built("exec", "-T", "beside", "ip", "address")
    built("cp", str(tmp_path / "Dockerfile"), "app:/own/copied")
    assert built("exec", "-T", "beside", "cat", "/own/copied") == DOCKERFILE.rstrip("\n")
    images = docker.ok("images", "--format", "{{.Repository}}", "--filter", "reference=cs-built-*").split()
    assert sorted(images) == ["cs-built-app", "cs-built-bare"]
    built("down", "--rmi", "local")
    assert (built.left(), docker.ok("images", "-q", "--filter", "reference=cs-built-*")) == ([], "")


def test_a_volume_of_a_project_that_is_cut_off_needs_a_network_of_its_own(docker, project):
    text = "services: {one: {image: busybox, command: touch /data/f, volumes: [data:/data]}}\nnetworks: {default: {internal: true}}\nvolumes: {data: %s}\n"
    refused = project("cs-cut", text % "{}").run("up")
    assert (
        "is reached on network My-Fabric-Network, which leads outside, and the container is on internal"
        in refused.stderr
    )
    cut = project("cs-cut", text % "{driver_opts: {network: cs-cut_default}}")
    cut("down", "-v")
    assert "exited with code 0" in cut("up")
    cut("down", "-v")
    assert cut.left() == []
